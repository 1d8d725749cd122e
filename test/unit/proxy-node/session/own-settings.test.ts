/** When the settings of a session are looked up, and when not. */
import { beforeEach, expect, test } from 'vitest'
import { OwnSettings, type SessionPlace } from '../../../../proxy-node/session/own-settings.ts'
import { DEFAULT_SETTINGS } from '../../../../proxy-node/session/peers.ts'
import type { SessionSettings } from '../../../../proxy-node/session/ports.ts'

const PLACE: SessionPlace = { cluster: 'c', tenant: 't', vip: undefined }

let general: SessionSettings = DEFAULT_SETTINGS
let asked: SessionPlace[] = []
let own: OwnSettings
beforeEach(() => {
  general = { ...DEFAULT_SETTINGS }
  asked = []
  own = new OwnSettings({
    settings: () => general,
    settingsOf: place => {
      asked.push(place)
      return { ...general, idcName: `of ${place.tenant}` }
    },
  })
})

test('they are looked up once a login and once a change, however often they are read', () => {
  own.moveTo(PLACE)
  for (let read = 0; read < 1_000; read++) expect(own.current.idcName).toBe('of t')
  expect(asked).toEqual([PLACE])

  general = { ...DEFAULT_SETTINGS, diagnosisLevel: 0 }
  for (let read = 0; read < 1_000; read++) expect(own.current.diagnosisLevel).toBe(0)
  expect(asked).toEqual([PLACE, PLACE])
})

test('another user of the same client has others', () => {
  own.moveTo(PLACE)
  expect(own.current.idcName).toBe('of t')
  own.moveTo({ ...PLACE, tenant: 'u' })
  expect(own.current.idcName).toBe('of u')
})

test('they are the node’s where nothing is set for less', () => {
  expect(new OwnSettings({ settings: () => general }).current).toBe(general)
})
