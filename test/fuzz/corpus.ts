/** Inputs that found something once, one file each, as hexadecimal text in lines. */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Target } from './target.ts'

const FOLDER = join(import.meta.dirname, 'corpus')
const LINE_CHARS = 96

export function readCorpus(target: Target): readonly (readonly [string, Uint8Array])[] {
  const folder = folderOf(target)
  if (!existsSync(folder)) return []
  return readdirSync(folder)
    .sort()
    .map(file => [file, fromHex(readFileSync(join(folder, file), 'utf8'))] as const)
}

/** The file's path; the same input is kept once. */
export function keep(target: Target, bytes: Uint8Array): string {
  mkdirSync(folderOf(target), { recursive: true })
  const hash = createHash('sha256').update(bytes).digest('hex').slice(0, 16)
  const path = join(folderOf(target), `${hash}.hex`)
  const hex = Buffer.from(bytes).toString('hex')
  const lines = hex.match(new RegExp(`.{1,${LINE_CHARS}}`, 'g')) ?? []
  writeFileSync(path, `${lines.join('\n')}\n`)
  return path
}

function folderOf({ name }: Target): string {
  return join(FOLDER, name.replaceAll(/[/ ]/g, '-'))
}

function fromHex(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text.replaceAll(/\s/g, ''), 'hex'))
}
