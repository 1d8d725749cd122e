/** The operations of `AmazonSSM.*` that the endpoint knows: body → answer (ssm-run-command.md §2, §4). */
import type { Commands } from './commands.ts'
import {
  checkName,
  documentHash,
  parseContent,
  type StoredDocument,
  versionNumber,
} from './documents.ts'
import { SsmError } from './errors.ts'
import type { Faults } from './faults.ts'
import type { Instances } from './instances.ts'
import type { Command, Invocation } from './model.ts'
import { page } from './paging.ts'
import type { ParameterStore } from './parameters.ts'
import { parsed, requests } from './requests.ts'
import type { State } from './state.ts'
import { isFinal } from './status.ts'
import { commandView, invocationView, listedInvocation, sentView } from './views.ts'

export type Parts = {
  readonly commands: Commands
  readonly instances: Instances
  readonly parameters: ParameterStore
  readonly state: State
  readonly faults: Faults
  readonly now: () => number
}

export type Call = (body: unknown, parts: Parts) => unknown

const DEFAULT_PAGE = 50
const DEFAULT_INSTANCE_PAGE = 10

/** Calls that an instance's own identity may make; the plane may make all. */
export const INSTANCE_CALLS: ReadonlySet<string> = new Set(['GetParameter', 'GetParameters'])

export const CALLS: Readonly<Record<string, Call>> = {
  SendCommand: (body, parts) => {
    const command = parts.commands.send(parsed(requests.sendCommand, body))
    return { Command: sentView(command) }
  },
  CancelCommand: (body, { commands }) => {
    const { CommandId, InstanceIds } = parsed(requests.cancelCommand, body)
    commands.cancel(CommandId, InstanceIds ?? [])
    return {}
  },
  GetCommandInvocation: (body, parts) => {
    const input = parsed(requests.getCommandInvocation, body)
    const command = parts.commands.find(input.CommandId)
    const invocation = command.invocations.find(each => each.instanceId === input.InstanceId)
    if (invocation === undefined || !isVisible(command, parts))
      throw new SsmError('InvocationDoesNotExist', 'no such invocation')
    const { PluginName: name } = input
    if (name === undefined) return invocationView(command, invocation, invocation.steps[0])
    const step = invocation.steps.find(each => each.name === name)
    if (step === undefined && invocation.steps.length > 0)
      throw new SsmError('InvalidPluginName', `no step ${name}`)
    return invocationView(command, invocation, step)
  },
  ListCommandInvocations: (body, parts) => {
    const input = parsed(requests.listCommands, body)
    const rows = chosen(input, parts).flatMap(command =>
      command.invocations
        .filter(each => input.InstanceId === undefined || each.instanceId === input.InstanceId)
        .map(invocation => ({ command, invocation })),
    )
    const { items, next } = page(
      rows,
      parts.faults.pageItems(input.MaxResults ?? DEFAULT_PAGE),
      input.NextToken,
    )
    const list = items.map(({ command, invocation }) =>
      listedInvocation(command, invocation, input.Details ?? false, nameOf(invocation, parts)),
    )
    return { CommandInvocations: list, ...(next === undefined ? {} : { NextToken: next }) }
  },
  ListCommands: (body, parts) => {
    const input = parsed(requests.listCommands, body)
    const rows = chosen(input, parts).filter(
      command =>
        input.InstanceId === undefined ||
        command.invocations.some(each => each.instanceId === input.InstanceId),
    )
    const { items, next } = page(
      rows,
      parts.faults.pageItems(input.MaxResults ?? DEFAULT_PAGE),
      input.NextToken,
    )
    const list = items.map(command => commandView(command, parts.commands.detail(command)))
    return { Commands: list, ...(next === undefined ? {} : { NextToken: next }) }
  },
  DescribeInstanceInformation: (body, { instances, faults }) => {
    const input = parsed(requests.describeInstances, body)
    const rows = instances.filtered(input.Filters ?? [])
    const { items, next } = page(
      rows,
      faults.pageItems(input.MaxResults ?? DEFAULT_INSTANCE_PAGE),
      input.NextToken,
    )
    const list = items.map(instance => instances.describe(instance))
    return { InstanceInformationList: list, ...(next === undefined ? {} : { NextToken: next }) }
  },
  ListTagsForResource: (body, { instances }) => {
    const { ResourceId: id } = body as { ResourceId?: string }
    const tags = instances.find(id ?? '')?.tags
    if (tags === undefined) throw new SsmError('InvalidResourceId', `no managed instance ${id}`)
    return { TagList: Object.entries(tags).map(([Key, Value]) => ({ Key, Value })) }
  },
  PutParameter: (body, { parameters, now }) => {
    const { Name, Value, Type, Overwrite } = parsed(requests.putParameter, body)
    const version = parameters.put(Name, Value, {
      type: Type ?? 'String',
      overwrite: Overwrite ?? false,
      now: now(),
    })
    return { Version: version, Tier: 'Standard' }
  },
  GetParameter: (body, { parameters }) => {
    const { Name, WithDecryption } = parsed(requests.getParameter, body)
    return { Parameter: parameters.get(Name, WithDecryption ?? false) }
  },
  GetParameters: (body, { parameters }) => {
    const { Names, WithDecryption } = parsed(requests.getParameters, body)
    const found: unknown[] = []
    const missing: string[] = []
    for (const name of Names)
      try {
        found.push(parameters.get(name, WithDecryption ?? false))
      } catch {
        missing.push(name)
      }
    return { Parameters: found, InvalidParameters: missing }
  },
  DeleteParameter: (body, { parameters }) => {
    parameters.delete(parsed(requests.deleteParameter, body).Name)
    return {}
  },
  CreateDocument: (body, { state, now }) => {
    const { Name, Content } = parsed(requests.createDocument, body)
    checkName(Name)
    parseContent(Content)
    if (state.documents.has(Name))
      throw new SsmError('DocumentAlreadyExists', `document ${Name} exists`)
    const version = { content: Content, createdAt: now(), hash: documentHash(Content) }
    state.saveDocument({ name: Name, defaultVersion: 1, versions: [version] })
    return { DocumentDescription: described(documentOf(Name, state), undefined) }
  },
  UpdateDocument: (body, { state, now }) => {
    const { Name, Content } = parsed(requests.updateDocument, body)
    const document = documentOf(Name, state)
    parseContent(Content)
    const hash = documentHash(Content)
    if (document.versions.at(-1)?.hash === hash)
      throw new SsmError('DuplicateDocumentContent', 'the newest version has the same content')
    const version = { content: Content, createdAt: now(), hash }
    state.saveDocument({ ...document, versions: [...document.versions, version] })
    return { DocumentDescription: described(documentOf(Name, state), '$LATEST') }
  },
  UpdateDocumentDefaultVersion: (body, { state }) => {
    const { Name, DocumentVersion } = parsed(requests.updateDefault, body)
    const document = documentOf(Name, state)
    const number = versionNumber(document, DocumentVersion)
    state.saveDocument({ ...document, defaultVersion: number })
    return { Description: { Name, DefaultVersion: String(number) } }
  },
  DescribeDocument: (body, { state }) => {
    const { Name, DocumentVersion } = parsed(requests.oneDocument, body)
    return { Document: described(documentOf(Name, state), DocumentVersion) }
  },
  GetDocument: (body, { state }) => {
    const { Name, DocumentVersion } = parsed(requests.oneDocument, body)
    const document = documentOf(Name, state)
    const number = versionNumber(document, DocumentVersion)
    const content = document.versions[number - 1]?.content
    return {
      Name,
      DocumentVersion: String(number),
      Content: content,
      DocumentType: 'Command',
      DocumentFormat: 'JSON',
      Status: 'Active',
    }
  },
  ListDocuments: (body, { state }) => {
    const { MaxResults, NextToken } = parsed(requests.listDocuments, body)
    const { items, next } = page(
      [...state.documents.values()],
      MaxResults ?? DEFAULT_PAGE,
      NextToken,
    )
    const list = items.map(document => ({
      Name: document.name,
      DocumentVersion: String(document.defaultVersion),
      DocumentType: 'Command',
      SchemaVersion: '2.2',
      DocumentFormat: 'JSON',
    }))
    return { DocumentIdentifiers: list, ...(next === undefined ? {} : { NextToken: next }) }
  },
  DeleteDocument: (body, { state }) => {
    const { Name } = parsed(requests.oneDocument, body)
    documentOf(Name, state)
    state.deleteDocument(Name)
    return {}
  },
}

function documentOf(name: string, state: State): StoredDocument {
  const document = state.documents.get(name)
  if (document === undefined) throw new SsmError('InvalidDocument', `no document ${name}`)
  return document
}

function described(document: StoredDocument, version: string | undefined) {
  const number = versionNumber(document, version)
  const chosenVersion = document.versions[number - 1]
  return {
    Name: document.name,
    Hash: chosenVersion?.hash,
    HashType: 'Sha256',
    CreatedDate: (chosenVersion?.createdAt ?? 0) / 1000,
    Status: 'Active',
    DocumentVersion: String(number),
    LatestVersion: String(document.versions.length),
    DefaultVersion: String(document.defaultVersion),
    DocumentType: 'Command',
    DocumentFormat: 'JSON',
    SchemaVersion: '2.2',
    PlatformTypes: ['Linux'],
  }
}

type ListInput = ReturnType<typeof requests.listCommands.parse>

/** Commands of a list, the newest first. */
function chosen(input: ListInput, parts: Parts): readonly Command[] {
  if (input.CommandId !== undefined) {
    const command = parts.commands.find(input.CommandId)
    return isVisible(command, parts) ? [command] : []
  }
  return [...parts.state.commands.values()]
    .reverse()
    .filter(command => isVisible(command, parts))
    .filter(command => (input.Filters ?? []).every(filter => fits(command, filter, parts)))
}

function isVisible(command: Command, { faults, now }: Parts): boolean {
  return now() - command.requestedAt >= faults.visibilityMs
}

function fits(
  command: Command,
  { key, value }: { readonly key: string; readonly value: string },
  { commands }: Parts,
): boolean {
  const detail = commands.detail(command)
  if (key === 'DocumentName') return command.documentName === value
  if (key === 'Status') return detail.replaceAll(' ', '') === value
  if (key === 'ExecutionStage')
    return (value === 'Complete') === command.invocations.every(each => isFinal(each.detail))
  const at = Date.parse(value)
  if (Number.isNaN(at)) throw new SsmError('InvalidFilterKey', `${key} needs a time`)
  return key === 'InvokedAfter' ? command.requestedAt > at : command.requestedAt < at
}

function nameOf(invocation: Invocation, { instances }: Parts): string {
  return instances.find(invocation.instanceId)?.name ?? ''
}
