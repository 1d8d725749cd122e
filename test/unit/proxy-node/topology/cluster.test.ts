import { describe, expect, test } from 'vitest'
import { parseRootservices } from '../../../../proxy-node/topology/cluster.ts'

const server = (index: number) => ({ host: `10.0.0.${index}`, port: 2881 })

describe('the root service list', () => {
  test('is read with blanks and a last semicolon', () => {
    expect(parseRootservices(' 10.0.0.1:2881 ; 10.0.0.2:2881;')).toEqual([server(1), server(2)])
  })

  test.each(['nowhere', '10.0.0.1', '10.0.0.1:99999', '10.0.0.1:0'])(
    '%s is refused by name',
    text => {
      expect(() => parseRootservices(text)).toThrow(`'${text}' is no ip:port`)
    },
  )
})
