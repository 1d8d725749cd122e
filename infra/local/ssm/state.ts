/**
 * The endpoint's memory on disk: one file a command, one for documents, each written as a whole
 * before a call is answered, so that a killed endpoint has lost nothing it said.
 */
import { mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { readJson, writePrivately } from '../files.ts'
import type { StoredDocument } from './documents.ts'
import type { Command } from './model.ts'
import { isFinal } from './status.ts'

/** Commands kept; the oldest finished go, those under way stay however old. */
const MAX_COMMANDS = 2_000

export class State {
  readonly commands = new Map<string, Command>()
  readonly documents = new Map<string, StoredDocument>()
  private readonly folder: string

  private readonly maxCommands: number

  constructor(folder: string, maxCommands = MAX_COMMANDS) {
    this.folder = folder
    this.maxCommands = maxCommands
    mkdirSync(join(folder, 'commands'), { recursive: true, mode: 0o700 })
    const stored = readdirSync(join(folder, 'commands'))
      .filter(name => name.endsWith('.json'))
      .map(name => readJson(join(folder, 'commands', name)) as Command)
    for (const command of stored.sort((a, b) => a.requestedAt - b.requestedAt))
      this.commands.set(command.id, command)
    const documents = (readJson(join(folder, 'documents.json')) ?? []) as StoredDocument[]
    for (const document of documents) this.documents.set(document.name, document)
  }

  saveCommand(command: Command): void {
    writePrivately(this.fileOf(command.id), command)
    this.commands.set(command.id, command)
    for (const { id, invocations } of this.commands.values()) {
      if (this.commands.size <= this.maxCommands) break
      if (!invocations.every(({ detail }) => isFinal(detail))) continue
      this.commands.delete(id)
      rmSync(this.fileOf(id), { force: true })
    }
  }

  saveDocument(document: StoredDocument): void {
    this.documents.set(document.name, document)
    writePrivately(join(this.folder, 'documents.json'), [...this.documents.values()])
  }

  deleteDocument(name: string): void {
    this.documents.delete(name)
    writePrivately(join(this.folder, 'documents.json'), [...this.documents.values()])
  }

  private fileOf(id: string): string {
    return join(this.folder, 'commands', `${id}.json`)
  }
}
