import { expect, test } from 'vitest'
import {
  idcUrl,
  rootServiceUrl,
  shownUrl,
  versionUrl,
} from '../../../../proxy-node/topology/config-server-urls.ts'

test.each([
  [
    'http://c/services?Action=GetObProxyConfig',
    'http://c/services?Action=GetObProxyConfig&VersionOnly=true',
  ],
  ['http://c/config', 'http://c/config?VersionOnly=true'],
  ['http://c/x?a=1#part', 'http://c/x?a=1&VersionOnly=true'],
])('asks %s for its version', (url, wanted) => {
  expect(versionUrl(url)).toBe(wanted)
})

test.each([
  [
    'http://c/s?Action=ObRootServiceInfo&ObRegion=a',
    0,
    'http://c/s?Action=ObRootServiceInfo&ObRegion=a&version=2',
  ],
  ['http://c/a', 5, 'http://c/a?version=2&ObRegionId=5'],
])('asks %s for id %i of its root services', (url, id, wanted) => {
  expect(rootServiceUrl(url, id)).toBe(wanted)
})

test.each([
  [
    'http://c/s?Action=obrootserviceinfo&ObRegion=a',
    0,
    'http://c/s?Action=ObIDCRegionInfo&ObRegion=a',
  ],
  [
    'http://c/s?Action=ObRootServiceInfo&O=a',
    4,
    'http://c/s?Action=ObIDCRegionInfo&O=a&version=2&ObRegionId=4',
  ],
  ['http://c/a', 0, 'http://c/a_idc_list'],
])('asks %s for the IDCs of id %i', (url, id, wanted) => {
  expect(idcUrl(url, id)).toBe(wanted)
})

test.each([
  ['http://c/s?Token=abc&Action=X', 'http://c/s?Token=******&Action=X'],
  ['http://c/s?Action=X&access_token=abc', 'http://c/s?Action=X&access_token=******'],
  ['http://u:p@c/s', 'http://c/s'],
  [
    'http://c/s?X-Amz-Signature=a&X-Amz-Credential=b',
    'http://c/s?X-Amz-Signature=******&X-Amz-Credential=******',
  ],
  ['http://c/\u0007s\n', 'http://c/s'],
])('shows %j as %j', (url, shown) => {
  expect(shownUrl(url)).toBe(shown)
})
