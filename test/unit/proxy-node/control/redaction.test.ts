/** What leaves a node as a line of a log has no secrets, and everything else of it. */
import { describe, expect, test } from 'vitest'
import { redacted } from '../../../../proxy-node/control/redaction.ts'
import { AS_THE_LENGTH, cpuGrowth } from '../../../support/cpu-growth.ts'

const SECRET = 'S3cr,et w0rd'

describe('a line', () => {
  test.each([
    `create user u identified by '${SECRET}'`,
    `CREATE USER u IDENTIFIED BY "${SECRET}" REQUIRE SSL`,
    `alter user u identified with mysql_native_password by '${SECRET}'`,
    `grant all on *.* to u identified by password '${SECRET}'`,
    `alter user u identified by '${SECRET}' replace '${SECRET}'`,
    `set password = '${SECRET}'`,
    `set password for 'u'@'%' = password('${SECRET}')`,
    `SET PASSWORD FOR u = '${SECRET}'`,
    `ALTER PROXYCONFIG SET observer_sys_password='${SECRET}'`,
    `ALTER PROXYCONFIG SET observer_sys_password1 = "${SECRET}"`,
    `{"password": "${SECRET}", "user": "u"}`,
    `select password('${SECRET}')`,
    `REPLACE INTO proxy_config(cluster_name, name, value) VALUES ('c', 'observer_sys_password', '${SECRET}')`,
    // Its end was cut off with the statement.
    `create user u identified by '${SECRET}`,
    `create user u identified by 'it''s ${SECRET}'`,
    `create user u identified by 'a\\'${SECRET}'`,
    `insert into u(name,password) values ('S3cr', 'w0rd'), ("${SECRET}", 1)`,
    `INSERT INTO u (name, \`passwd\`) SELECT 'S3cr', 'w0rd'`,
    // JSON in JSON, and in that once more.
    `{"m":"{\\"user\\":\\"u\\",\\"password\\":\\"${SECRET}\\"}"}`,
    `\\\\\\"token\\\\\\": \\\\\\"${SECRET}\\\\\\"`,
    `\\"secret\\":\\"a\\\\\\"${SECRET}\\"`,
    `mysql -uroot -p'${SECRET}' -h10.0.0.1`,
    `obclient --password "${SECRET}"`,
  ])('is without the literal: %s', line => {
    expect(redacted(line)).not.toContain('S3cr')
    expect(redacted(line)).not.toContain('w0rd')
    expect(redacted(line)).toContain('***')
  })

  test.each([
    ['create user u identified by S3cret account lock', 'S3cret'],
    ['http://c/services?Action=ObRootServiceInfo&Token=S3cret&VersionOnly=true', 'S3cret'],
    ['./obproxy -o observer_sys_password=S3cret,proxy_id=1', 'S3cret'],
    ['authorization: Bearer S3cret.abc', 'S3cret'],
    ['mysql://root:S3cret@10.0.0.1:2883/db', 'S3cret'],
    ['PUT /b/k?X-Amz-Credential=S3cret&X-Amz-Signature=S3cret HTTP/1.1', 'S3cret'],
    ["create location l url='oss://b' access_key='S3cret'", 'S3cret'],
    ['Authorization: Basic cm9vdDpTM2NyZXQ=', 'cm9vdDp'],
    ['"authorization":"Digest username=\\"u\\", response=\\"S3cret\\""', 'S3cret'],
    ['sent Basic cm9vdDpTM2NyZXQ= to it', 'cm9vdDp'],
    ['mysql -uroot -pS3cret -h10.0.0.1', 'S3cret'],
    ['login as u, password: a,S3cret', 'S3cret'],
    ["password=a'S3cret;b&S3cret", 'S3cret'],
    // A digest line: commas and line ends are written otherwise.
    ["2026-11-24 10:00:00,app,,,,c:t:d,OB_MYSQL,,,,,success,,set password = 'S3%2Ccret'", 'cret'],
  ])('is without the secret: %s', (line, secret) => {
    expect(redacted(line)).not.toContain(secret)
  })

  test.each([
    "select * from t where name = 'it''s fine' and id = 3",
    '[2026-11-24 10:00:00.123] INFO [PROXY] worker 3 accepts on 10.0.0.1:2883',
    '2026-11-24 10:00:00.1,app,,,,c:t:d,OB_MYSQL,,t1,OB_MYSQL_COM_QUERY,SELECT,success,,select 1,11us',
    'basic authentication is off, the design=2 was assigned=3',
    'insert into t(a, b) values (1, 2)',
  ])('that has none is as it was: %s', line => {
    expect(redacted(line)).toBe(line)
  })

  test.each([
    ['./obproxy -o observer_sys_password=S3cret,proxy_id=1', 'proxy_id=1'],
    ['/s?Token=S3cret&VersionOnly=true', 'VersionOnly=true'],
    ['{"m":"{\\"password\\":\\"S3cret\\",\\"user\\":\\"u\\"}"}', '\\"user\\":\\"u\\"'],
    ['{"password":123,"user":"u"}', '"user":"u"'],
    ['mysql -pS3cret -h10.0.0.1', '-h10.0.0.1'],
  ])('keeps what stands beside a secret: %s', (line, kept) => {
    expect(redacted(line)).toContain(kept)
  })

  test.each([
    ['quotes', (count: number) => `identified by ${"'a".repeat(count)} ${'\\'.repeat(count)}`],
    ['names of secrets', (count: number) => 'pwd'.repeat(count)],
    ['nested quotes', (count: number) => `pwd: ${'\\'.repeat(count)}"${'\\'.repeat(count)}`],
    ['statements', (count: number) => 'insert('.repeat(count)],
  ])('of a long run of %s is read in time that grows as it does', (_name, of) => {
    expect(cpuGrowth(count => redacted(of(count)), 4_000)).toBeLessThan(AS_THE_LENGTH)
  })
})
