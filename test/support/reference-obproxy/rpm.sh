#!/bin/bash
# As much of rpm as asks what is installed: -qa, -q NAME, -qf PATH, -ql NAME. The database is one line a
# package, `NAME-VERSION-RELEASE.ARCH FOLDER`, under the root of this host.

root=$(cd "$(dirname "$0")/../.." && pwd -P) || exit 1
database=$root/var/lib/rpm/packages

of_name() {
  while read -r package folder; do
    case $package in "$1" | "$1"-[0-9]*) echo "$package $folder" ;; esac
  done <"$database"
}

case $1 in
  -qa)
    while read -r package _; do echo "$package"; done <"$database"
    ;;
  -q)
    found=$(of_name "$2")
    [ -n "$found" ] || { echo "package $2 is not installed" && exit 1; }
    echo "${found%% *}"
    ;;
  -qf)
    path=${2#"$root"}
    while read -r package folder; do
      case $path in "$folder"/*) echo "$package" && exit 0 ;; esac
    done <"$database"
    echo "file $2 is not owned by any package"
    exit 1
    ;;
  -ql)
    found=$(of_name "$2")
    [ -n "$found" ] || { echo "package $2 is not installed" && exit 1; }
    printf '%s\n' "${found#* }/bin/obproxy" "${found#* }/bin/obproxyd.sh"
    ;;
  *)
    echo 'usage: rpm -qa | -q NAME | -qf PATH | -ql NAME' >&2
    exit 1
    ;;
esac
