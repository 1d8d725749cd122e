import { describe, expect, test } from 'vitest'
import { acceptsAdmin } from '../../../../proxy-node/admin/accounts.ts'
import { storedPassword } from '../../../../proxy-node/auth/passwords.ts'
import { nativeToken, stage1Of } from '../../../../proxy-node/auth/scramble.ts'

const SCRAMBLE = new Uint8Array(20).map((_byte, index) => 33 + index)
const NOTHING = new Uint8Array(0)
const tokenOf = (password: string) =>
  password === '' ? NOTHING : nativeToken(stage1Of(password), SCRAMBLE)

const accounts = (root: string, allowsPublicAddresses = false) => ({
  root: storedPassword(root),
  inspector: storedPassword('probe'),
  allowsPublicAddresses,
})
const login = (user: string, password: string, from = '127.0.0.1') => ({
  user,
  token: tokenOf(password),
  scramble: SCRAMBLE,
  from,
})

describe('a login to tenant proxysys', () => {
  test.each([
    ['root', 'secret', true],
    ['root', 'wrong', false],
    ['root', '', false],
    ['inspector', 'probe', true],
    ['inspector', 'secret', false],
    ['proxyro', 'secret', false],
    ['', '', false],
  ])('%s with %j: %s', (user, password, accepted) => {
    expect(acceptsAdmin(accounts('secret'), login(user, password))).toBe(accepted)
  })

  test('needs the empty password where none is set', () => {
    expect(acceptsAdmin(accounts(''), login('root', ''))).toBe(true)
    expect(acceptsAdmin(accounts(''), login('root', 'secret'))).toBe(false)
  })

  test('lets nobody in by a stored value that is no hash', () => {
    const broken = { ...accounts(''), root: 'secret' }

    expect(acceptsAdmin(broken, login('root', 'secret'))).toBe(false)
    expect(acceptsAdmin(broken, login('root', ''))).toBe(false)
  })

  test.each([
    ['127.8.9.10', true],
    ['10.255.0.1', true],
    ['172.16.0.1', true],
    ['172.31.255.255', true],
    ['192.168.1.1', true],
    ['169.254.1.1', true],
    ['::1', true],
    ['fd00::1', true],
    ['fe80::1', true],
    ['::ffff:10.0.0.1', true],
    ['::FFFF:8.8.8.8', false],
    ['8.8.8.8', false],
    ['172.15.0.1', false],
    ['172.32.0.1', false],
    ['100.64.0.1', false],
    ['11.0.0.1', false],
    ['2001:db8::1', false],
    ['', false],
  ])('from %j: %s, and from anywhere when public addresses are allowed', (from, accepted) => {
    expect(acceptsAdmin(accounts('secret'), login('root', 'secret', from))).toBe(accepted)
    expect(acceptsAdmin(accounts('secret', true), login('root', 'secret', from))).toBe(true)
  })
})
