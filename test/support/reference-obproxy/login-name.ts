/** Whose login it is: `user@tenant#cluster` or `cluster:tenant:user`. Pure. */

export type LoginName = {
  readonly user: string
  readonly tenant: string
  readonly cluster: string | undefined
}

/** `defaultTenant` is that of a name without one. */
export function loginName(text: string, defaultTenant: string): LoginName {
  const [, named, ofTenant, ofCluster] = /^([^@#]*)@([^#]*)(?:#(.*))?$/s.exec(text) ?? []
  if (named !== undefined)
    return { user: named, tenant: ofTenant || defaultTenant, cluster: ofCluster || undefined }
  const parts = text.split(':')
  const [cluster = '', tenant = '', user = ''] = parts
  if (parts.length === 3) return { user, tenant, cluster }
  const [alone = '', behind] = text.split('#')
  return { user: alone, tenant: defaultTenant, cluster: behind }
}
