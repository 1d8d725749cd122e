import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  DamagedArchive,
  type TarEvent,
  TarReader,
  UnsafeArchive,
} from '../../../../proxy-node/control/tar.ts'
import { paxRecord, type TarEntry, tarOf } from '../../../support/tar-bytes.ts'

const LIMITS = { maxBytes: 1 << 20, maxEntries: 50 }
const ROOMY = { path: 'bin', type: '5', mode: 0o755 }

/** Everything in the archive, contents gathered; `size` bytes at a time. */
function read(bytes: Buffer, size = 512, limits = LIMITS) {
  const reader = new TarReader(limits)
  const found: (Exclude<TarEvent, { kind: 'bytes' }> & { content: string })[] = []
  for (let at = 0; at < bytes.length; at += size)
    for (const event of reader.push(bytes.subarray(at, at + size))) {
      if (event.kind !== 'bytes') found.push({ ...event, content: '' })
      const last = found.at(-1)
      if (event.kind === 'bytes' && last !== undefined)
        last.content += Buffer.from(event.bytes).toString()
    }
  reader.end()
  return found
}

function refusal(entries: readonly TarEntry[]) {
  return () => read(tarOf(entries))
}

describe('what is taken', () => {
  const entries: TarEntry[] = [
    { path: './', type: '5', mode: 0o755 },
    { path: './bin/', type: '5', mode: 0o755 },
    { path: './bin/obproxy', mode: 0o755, content: 'x'.repeat(1500) },
    { path: 'bin/link', type: '2', target: './obproxy' },
    { path: 'lib/up', type: '2', target: '../bin/obproxy' },
    { path: 'empty', type: '\0' },
  ]
  const expected = [
    { kind: 'folder', path: 'bin', content: '' },
    {
      kind: 'file',
      path: 'bin/obproxy',
      isExecutable: true,
      sizeBytes: 1500,
      content: 'x'.repeat(1500),
    },
    { kind: 'link', path: 'bin/link', target: './obproxy', content: '' },
    { kind: 'link', path: 'lib/up', target: '../bin/obproxy', content: '' },
    { kind: 'file', path: 'empty', isExecutable: false, sizeBytes: 0, content: '' },
  ]

  test('files, folders and links that stay inside, cut anywhere', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4000 }), size => {
        expect(read(tarOf(entries), size)).toEqual(expected)
      }),
      { numRuns: 60 },
    )
  })

  test('long names of pax, of GNU and of ustar', () => {
    const long = `share/${'d'.repeat(120)}/file`
    const found = read(
      tarOf([
        { path: 'PaxHeaders/1', type: 'x', content: paxRecord('path', long) },
        { path: 'cut', content: 'one' },
        { path: '././@LongLink', type: 'L', content: `${long}2\0` },
        { path: 'cut', content: 'two' },
        { path: 'pax_global_header', type: 'g', content: paxRecord('comment', 'whatever') },
        { path: 'file', prefix: 'share/prefix', content: 'three' },
      ]),
      700,
    )

    expect(found.map(event => [event.path, event.content])).toEqual([
      [long, 'one'],
      [`${long}2`, 'two'],
      ['share/prefix/file', 'three'],
    ])
  })

  test('a name of an extended header is for one entry only', () => {
    const found = read(
      tarOf([
        { path: 'h', type: 'x', content: paxRecord('path', 'a') },
        { path: 'x' },
        { path: 'b' },
      ]),
    )

    expect(found.map(({ path }) => path)).toEqual(['a', 'b'])
  })

  test('bytes after the end mark are padding', () => {
    expect(read(Buffer.concat([tarOf([{ path: 'a' }]), Buffer.alloc(9000, 1)]))).toHaveLength(1)
  })
})

describe('what is refused', () => {
  test.each<[string, readonly TarEntry[]]>([
    ['an absolute path', [{ path: '/etc/cron.d/evil' }]],
    ['a path that climbs', [{ path: 'bin/../../evil' }]],
    ['a path that climbs in its middle', [{ path: 'bin/../lib/x' }]],
    [
      'a climbing path in a pax header',
      [{ path: 'h', type: 'x', content: paxRecord('path', '../x') }, { path: 'x' }],
    ],
    [
      'a climbing path in a GNU header',
      [{ path: 'h', type: 'L', content: '/etc/passwd\0' }, { path: 'x' }],
    ],
    ['a prefix that is absolute', [{ path: 'x', prefix: '/etc' }]],
    ['a back slash', [{ path: '..\\evil' }]],
    [
      'a NUL inside a pax name',
      [{ path: 'h', type: 'x', content: paxRecord('path', 'a\0b') }, { path: 'x' }],
    ],
    ['a file without a name', [{ path: './' }]],
    ['an absolute link', [{ path: 'l', type: '2', target: '/etc' }]],
    ['a climbing link', [{ path: 'bin/l', type: '2', target: '../../etc' }]],
    ['a link that climbs behind a name', [{ path: 'a/b/l', type: '2', target: 'c/../../x' }]],
    ['a link to nothing', [{ path: 'l', type: '2', target: '' }]],
    [
      'a climbing link in a pax header',
      [
        { path: 'h', type: 'x', content: paxRecord('linkpath', '../..') },
        { path: 'l', type: '2', target: 'ok' },
      ],
    ],
    ['a file beneath a link', [{ path: 'l', type: '2', target: 'bin' }, { path: 'l/evil' }]],
    [
      'a folder beneath a link',
      [
        { path: 'l', type: '2', target: 'bin' },
        { path: 'l/d', type: '5' },
      ],
    ],
    ['a file beneath a file', [{ path: 'a', content: 'x' }, { path: 'a/b' }]],
    ['a file over a link', [{ path: 'l', type: '2', target: 'bin' }, { path: 'l' }]],
    ['a link over a file', [{ path: 'l' }, { path: './l', type: '2', target: 'bin' }]],
    ['a link over a folder', [ROOMY, { path: 'bin', type: '2', target: 'lib' }]],
    ['a hard link', [{ path: 'l', type: '1', target: 'bin/obproxy' }]],
    ['a character device', [{ path: 'null', type: '3' }]],
    ['a block device', [{ path: 'sda', type: '4' }]],
    ['a pipe', [{ path: 'pipe', type: '6' }]],
    ['a sparse file', [{ path: 's', type: 'S' }]],
    ['setuid', [{ path: 'bin/su', mode: 0o4755 }]],
    ['setgid', [{ path: 'bin/sg', mode: 0o2755 }]],
    ['a sticky folder', [{ path: 'tmp', type: '5', mode: 0o1777 }]],
    ['an endless extended header', [{ path: 'h', type: 'x', size: 1 << 20 }]],
    ['a negative size', [{ path: 'x', size: '\xff'.repeat(12) }]],
  ])('%s', (_what, entries) => {
    expect(refusal(entries)).toThrow(UnsafeArchive)
  })

  test('more bytes than the cap, though the archive is small', () => {
    const bytes = tarOf([{ path: 'x', content: Buffer.alloc(5000) }])

    expect(() => read(bytes, 512, { maxBytes: 4096, maxEntries: 5 })).toThrow(UnsafeArchive)
  })

  test('more entries than the cap', () => {
    const entries = Array.from({ length: 6 }, (_, index) => ({ path: `f${index}` }))

    expect(() => read(tarOf(entries), 512, { maxBytes: 1 << 20, maxEntries: 5 })).toThrow(
      UnsafeArchive,
    )
  })
})

describe('what is damaged', () => {
  test.each<[string, Buffer]>([
    ['nothing', Buffer.alloc(0)],
    ['text', Buffer.alloc(2048, 'no tar ')],
    ['a wrong checksum', tarOf([{ path: 'x', checksum: 1 }])],
    ['a size that is no number', tarOf([{ path: 'x', size: '12345678z' }])],
    [
      'a broken extended header',
      tarOf([{ path: 'h', type: 'x', content: '99 path=x\n' }, { path: 'x' }]),
    ],
    [
      'an extended header without length',
      tarOf([{ path: 'h', type: 'x', content: 'path=x' }, { path: 'x' }]),
    ],
    [
      'a pax size that is no number',
      tarOf([{ path: 'h', type: 'x', content: paxRecord('size', '-1') }, { path: 'x' }]),
    ],
  ])('%s', (_what, bytes) => {
    expect(() => read(bytes)).toThrow(DamagedArchive)
  })

  test('an archive cut at any place', () => {
    const whole = tarOf([{ path: 'a', content: 'x'.repeat(700) }, { path: 'b' }])
    const upToEnd = whole.length - 2 * 512

    for (let length = 0; length <= upToEnd; length += 64)
      expect(() => read(whole.subarray(0, length))).toThrow(DamagedArchive)
  })

  test('any bytes end in one of the two errors or in events', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 3000 }), bytes => {
        try {
          read(Buffer.from(bytes))
        } catch (error) {
          expect(error instanceof UnsafeArchive || error instanceof DamagedArchive).toBe(true)
        }
      }),
    )
  })
})
