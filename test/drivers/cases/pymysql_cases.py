"""PyMySQL: text protocol only, values are written into the statements by the driver."""
import datetime
import decimal
import os
import tempfile

import pymysql
from pymysql.constants import CLIENT
from pymysql.cursors import SSCursor
from record import beside, case, main, until


def login(at, **more):
    address = {key: at[key] for key in ("host", "port", "user", "password", "database")}
    return pymysql.connect(**{**address, "read_timeout": 60, **more})


def failure(act):
    try:
        act()
        return None
    except pymysql.MySQLError as error:
        return [type(error).__name__, *error.args]


def rows(link, sql, values=None):
    with link.cursor() as cursor:
        cursor.execute(sql, values)
        return cursor.fetchall()


class Sha2Connection(pymysql.connections.Connection):
    """Begins its login with MySQL 8's default plugin, whatever the greeting says."""

    def _get_server_information(self):
        super()._get_server_information()
        self._auth_plugin_name = "caching_sha2_password"


@case
def logins(at):
    address = {key: at[key] for key in ("host", "port", "user", "password", "database")}
    sha2 = Sha2Connection(**address)
    second = login(at, user=at["second"]["user"], password=at["second"]["password"])
    seen = {
        "native": rows(login(at), "SELECT CURRENT_USER(), DATABASE()"),
        "sha2": rows(sha2, "SELECT CURRENT_USER(), DATABASE()"),
        "no database": rows(login(at, database=None), "SELECT CURRENT_USER(), DATABASE()"),
        "second": rows(second, "SELECT CURRENT_USER()"),
        "wrong password": failure(lambda: login(at, password="wrong"))[:2],
        "no password": failure(lambda: login(at, password=""))[:2],
        "unknown user": failure(lambda: login(at, user=at["user"].replace("demo", "ghost")))[:2],
        "unknown database": failure(lambda: login(at, database="nowhere")),
    }
    return seen


@case
def values(at):
    link = login(at)
    given = (
        -(2**63), 2**64 - 1, decimal.Decimal("12345678901234567890.123456789"), 1.5e300, None, "",
        "it's \\ \"quoted\" \n é中😀", b"\x00\xff'\\", True,
        datetime.date(2026, 2, 28), datetime.datetime(2026, 2, 28, 23, 59, 58, 123456),
        datetime.timedelta(hours=-838, minutes=59), datetime.time(1, 2, 3),
    )
    rows(link, "DROP TABLE IF EXISTS kinds")
    rows(link, "CREATE TABLE kinds (id INT PRIMARY KEY AUTO_INCREMENT, i BIGINT, u BIGINT UNSIGNED,"
               " d DECIMAL(40,9), f DOUBLE, n INT, e VARCHAR(9), s VARCHAR(99), b BLOB, t TINYINT(1),"
               " day DATE, at DATETIME(6), span TIME, clock TIME, y YEAR, bits BIT(12),"
               " en ENUM('a','b'), se SET('x','y'), ts TIMESTAMP(3) NULL)")
    with link.cursor() as cursor:
        cursor.execute("INSERT INTO kinds (i,u,d,f,n,e,s,b,t,day,at,span,clock) VALUES ("
                       + ",".join(["%s"] * 13) + ")", given)
        inserted = [cursor.rowcount, cursor.lastrowid]
        cursor.execute("INSERT INTO kinds (y,bits,en,se,ts) VALUES"
                       " (2026, b'101000000001', 'b', 'x,y', '2026-02-28 01:02:03.004')")
        inserted += [cursor.rowcount, cursor.lastrowid]
        cursor.execute("SELECT * FROM kinds ORDER BY id")
        described = [each[:2] + each[3:] for each in cursor.description]
        return {"inserted": inserted, "described": described, "rows": cursor.fetchall()}


@case
def big_statements(at):
    link = login(at)
    seen = {}
    for label, size in (("1 MB", 1 << 20), ("16 MB - 1", (1 << 24) - 1), ("16 MB", 1 << 24),
                        ("17 MB", 17 << 20)):
        # The payload is the command byte and the statement.
        head, tail = "SELECT LENGTH('", "')"
        sql = head + "x" * (size - 1 - len(head) - len(tail)) + tail
        link = login(at) if not link.open else link
        refused = failure(lambda: seen.__setitem__(label, rows(link, sql)))
        if refused is not None:
            seen[label] = refused
        seen[label + ", after"] = failure(lambda: rows(link, "SELECT 1"))
    return seen


@case
def big_rows(at):
    link = login(at)
    sizes = (1 << 20, (1 << 24) - 6, (1 << 24) - 5, (1 << 24) - 4, (1 << 24) - 1)
    return [*[rows(link, f"SELECT REPEAT('y', {size})") for size in sizes],
            rows(link, "SELECT REPEAT('y', 12000000), 7, REPEAT('z', 12000000)"), rows(link, "SELECT 1")]


@case
def large_result(at):
    link = login(at)
    rows(link, "SET ob_query_timeout = 100000000")
    rows(link, "DROP TABLE IF EXISTS digits")
    rows(link, "CREATE TABLE digits (d INT PRIMARY KEY)")
    rows(link, "INSERT INTO digits VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9)")
    with link.cursor(SSCursor) as cursor:
        cursor.execute("SELECT a.d + 10 * b.d + 100 * c.d AS n, REPEAT('z', 65536) FROM digits a, digits b,"
                       " digits c ORDER BY n")
        count = size = 0
        ordered = True
        for number, text in cursor:
            ordered = ordered and number == count
            count += 1
            size += len(text)
    return {"rows": count, "bytes": size, "ordered": ordered, "after": rows(link, "SELECT 1")}


@case
def errors(at):
    link = login(at)
    rows(link, "DROP TABLE IF EXISTS once")
    rows(link, "CREATE TABLE once (id INT PRIMARY KEY, n INT NOT NULL)")
    rows(link, "INSERT INTO once VALUES (1, 1)")
    link.commit()
    texts = ["SELECT * FROM nosuch", "SELEKT 1", "SELECT nosuch FROM once", "INSERT INTO once VALUES (1, 2)",
             "INSERT INTO once VALUES (2, NULL)", "USE nowhere", "SELECT 1 +", "DROP TABLE nosuch", "",
             "SET nosuch = 1", "SELECT @@nosuch", "CALL nosuch()", "KILL 4000000000", "SELECT COUNT(*) FROM once"]
    return {sql: failure(lambda: rows(link, sql)) for sql in texts}


@case
def warnings(at):
    link = login(at)
    rows(link, "SELECT 1/0, CAST('7x' AS SIGNED)")
    counted = rows(link, "SHOW COUNT(*) WARNINGS") if failure(
        lambda: rows(link, "SHOW COUNT(*) WARNINGS")) is None else None
    rows(link, "SELECT CAST('7x' AS SIGNED)")
    return [counted, rows(link, "SHOW WARNINGS")]


@case
def several(at):
    link = login(at, client_flag=CLIENT.MULTI_STATEMENTS)
    with link.cursor() as cursor:
        cursor.execute("SELECT 1 a; SELECT 2 b, 'x' c; DO 1; SELECT 3 FROM dual WHERE 1 = 0; SET @v = 9; SELECT @v")
        seen = [[cursor.rowcount, cursor.fetchall()]]
        while cursor.nextset():
            seen.append([cursor.rowcount, cursor.fetchall()])

        def broken():
            cursor.execute("SELECT 1; SELECT * FROM nosuch; SELECT 3")
            while cursor.nextset():
                pass

        seen.append(failure(broken))
    off = login(at)
    return [seen, rows(link, "SELECT @v"), failure(lambda: rows(off, "SELECT 1; SELECT 2"))]


@case
def procedures(at):
    link = login(at)
    rows(link, "DROP PROCEDURE IF EXISTS twice")
    rows(link, "CREATE PROCEDURE twice(IN a INT, OUT b INT, INOUT c INT) BEGIN SELECT a AS first;"
               " SELECT a + 1 AS second, 'x' AS word; SET b = a * 2; SET c = c + a; END")
    with link.cursor() as cursor:
        cursor.callproc("twice", (7, 0, 5))
        seen = [cursor.fetchall()]
        while cursor.nextset():
            seen.append(cursor.fetchall())
        cursor.execute("SELECT @_twice_0, @_twice_1, @_twice_2")
        return [seen, cursor.fetchall()]


@case
def files(at):
    link = login(at, local_infile=True)
    rows(link, "DROP TABLE IF EXISTS loaded")
    rows(link, "CREATE TABLE loaded (id INT PRIMARY KEY, name VARCHAR(20))")
    seen = {}
    with tempfile.TemporaryDirectory() as folder:
        def load(label, content):
            path = os.path.join(folder, label)
            with open(path, "w") as file:
                file.write(content)
            with link.cursor() as cursor:
                cursor.execute(f"LOAD DATA LOCAL INFILE '{path}' INTO TABLE loaded FIELDS TERMINATED BY ','")
                return cursor.rowcount

        seen["rows"] = load("some", "".join(f"{n},name {n}\n" for n in range(1, 4)))
        seen["empty"] = load("empty", "")
        seen["many"] = load("many", "".join(f"{n},name {n}\n" for n in range(1000, 4000)))
        missing = f"LOAD DATA LOCAL INFILE '{folder}/missing' INTO TABLE loaded"
        seen["missing"] = (failure(lambda: rows(link, missing)) or [None])[0]
        link.commit()
        seen["after"] = rows(link, "SELECT COUNT(*), MIN(name), SUM(id) FROM loaded")
        off = login(at)
        refused = failure(lambda: rows(off, missing))
        seen["off"] = [part.replace(folder, "") if isinstance(part, str) else part for part in refused or []]
    return seen


@case
def cancels(at):
    link, other = login(at), login(at)
    waits = beside(lambda: failure(lambda: rows(link, f"SELECT SLEEP(20) /* {at['database']} */")))
    running = lambda: any(f"/* {at['database']} */" in str(row) and "SHOW" not in str(row[-1])
                          for row in rows(other, "SHOW FULL PROCESSLIST"))
    seen = {"seen": until(running)}
    rows(other, f"KILL QUERY {link.thread_id()}")
    seen["killed query"] = waits()
    seen["after"] = rows(link, "SELECT 1")
    waits = beside(lambda: failure(lambda: rows(link, f"SELECT SLEEP(20) /* {at['database']} */")))
    seen["seen again"] = until(running)
    rows(other, f"KILL {link.thread_id()}")
    # What the victim reads is a matter of moments: an error, then the end.
    seen["killed"] = (waits() or ["nothing"])[0]
    seen["closed"] = failure(lambda: rows(link, "SELECT 1")) is not None
    seen["gone"] = until(lambda: not running())
    return seen


@case
def transactions(at):
    link, other = login(at), login(at)
    rows(link, "DROP TABLE IF EXISTS booked")
    rows(link, "CREATE TABLE booked (id INT PRIMARY KEY)")
    flags = []
    count = lambda who: rows(who, "SELECT COUNT(*) FROM booked")[0][0]
    link.begin()
    flags.append(link.server_status & 1)
    rows(link, "INSERT INTO booked VALUES (1)")
    flags.append(link.server_status & 1)
    seen = [count(link), count(other)]
    link.rollback()
    flags.append(link.server_status & 1)
    seen.append(count(link))
    link.begin()
    rows(link, "INSERT INTO booked VALUES (2)")
    rows(link, "SAVEPOINT a")
    rows(link, "INSERT INTO booked VALUES (3)")
    rows(link, "ROLLBACK TO SAVEPOINT a")
    other.rollback()
    seen += [count(link), count(other)]
    link.commit()
    other.rollback()
    seen.append(count(other))
    link.autocommit(True)
    flags += [link.server_status & 3, link.get_autocommit()]
    rows(link, "INSERT INTO booked VALUES (4)")
    other.rollback()
    seen.append(count(other))
    link.begin()
    rows(link, "INSERT INTO booked VALUES (5)")
    rows(link, "CREATE TABLE IF NOT EXISTS booked_too (id INT)")
    other.rollback()
    seen.append(count(other))
    return {"counts": seen, "flags": flags}


@case
def identity(at):
    link = login(at)
    mine = rows(link, "SELECT CONNECTION_ID()")[0][0] == link.thread_id()
    listed = [row for row in rows(link, "SHOW PROCESSLIST") if row[0] == link.thread_id()]
    return {"same id": mine, "listed": [[row[1], row[3], row[4]] for row in listed],
            "columns": len(listed[0]) if listed else 0}


@case
def character_sets(at):
    seen = {}
    for name, text in (("utf8mb4", "é中😀'\\"), ("latin1", "é'\\ü"), ("gbk", "中文誠'\\")):
        link = login(at, charset=name)
        ask = "SELECT %s, HEX(%s), @@character_set_client, @@character_set_results, @@collation_connection"
        first = rows(link, ask, (text, text))
        rows(link, "SET @kept = %s", (text,))
        seen[name] = [first, rows(link, "SELECT @kept, HEX(@kept)")]
        link.set_character_set("utf8mb4")
        seen[name].append(rows(link, "SELECT @kept, @@character_set_client"))
    return seen


@case
def databases(at):
    link = login(at)
    seen = [rows(link, "SELECT DATABASE()")]
    link.select_db("oceanbase")
    seen.append(rows(link, "SELECT DATABASE()"))
    seen.append(failure(lambda: link.select_db("nowhere")))
    link.ping(reconnect=False)
    rows(link, f"USE {at['database']}")
    seen.append(rows(link, "SELECT DATABASE()"))
    return seen


@case
def found_rows(at):
    link, plain_link = login(at, client_flag=CLIENT.FOUND_ROWS), login(at)
    rows(link, "DROP TABLE IF EXISTS found")
    rows(link, "CREATE TABLE found (id INT PRIMARY KEY, n INT)")
    rows(link, "INSERT INTO found VALUES (1, 1), (2, 1)")
    link.commit()
    changed = []
    for who in (link, plain_link):
        with who.cursor() as cursor:
            changed.append(cursor.execute("UPDATE found SET n = 1"))
            who.commit()
    rows(link, "SELECT SQL_CALC_FOUND_ROWS * FROM found LIMIT 1")
    return [changed, rows(link, "SELECT FOUND_ROWS()")]


@case
def over_tls(at):
    link = login(at, ssl={"ca": at["ca"]})
    return [link._sock.cipher() is not None, rows(link, "SELECT %s, REPEAT('b', 100000)", (1,))]


if __name__ == "__main__":
    main()
