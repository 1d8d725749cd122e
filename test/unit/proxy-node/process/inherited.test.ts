import { describe, expect, test } from 'vitest'
import { handedOn, takeInherited } from '../../../../proxy-node/process/inherited.ts'

describe('what is inherited', () => {
  test.each([0, 1] as const)('is what was handed on, with the generation after %i', generation => {
    const { env, descriptors } = handedOn({ listenDescriptor: 7, lockDescriptor: 9, generation })
    const found: Record<string, string | undefined> = { PATH: '/bin', ...env }

    expect(descriptors).toEqual([7, 9])
    expect(takeInherited(found, 42)).toEqual({
      listenDescriptor: 3,
      lockDescriptor: 4,
      generation: 1 - generation,
      predecessor: 42,
    })
    expect(found).toEqual({ PATH: '/bin' })
  })

  test("may be OBProxy's, which hands on its socket alone", () => {
    expect(takeInherited({ OBPROXY_INHERITED_IPV4_FD: '12' }, 42)).toEqual({
      listenDescriptor: 12,
      lockDescriptor: undefined,
      generation: undefined,
      predecessor: 42,
    })
  })

  test.each([undefined, '', '-1', '2', 'x', '3x', '99999999'])(
    'is nothing when the descriptor is %s',
    text => {
      const found = { OBPROXY_INHERITED_IPV4_FD: text, OBPROXY_INHERITED_LOCK_FD: '4' }

      expect(takeInherited(found, 42)).toBeUndefined()
      expect(found).toEqual({})
    },
  )
})
