/** Which lines of which logs a node collects. Source: management.md §5.5, proxy-admin.md §5.4. */
import { z } from 'zod'
import { LOG_PATTERN_MAX_CHARS } from './log-pattern.ts'

/** The proxy's logs by what is in them, the node's own, and what the service manager kept of the units. */
export const LOG_TYPES = [
  'proxy',
  'error',
  'slow',
  'digest',
  'stat',
  'limit',
  'diagnosis',
  'trace',
  'xflush',
  'config',
  'node',
  'unit',
] as const

export type LogType = (typeof LOG_TYPES)[number]

/** From the most to the least important; one that is asked for includes all before it. */
export const LOG_LEVELS = ['ERROR', 'WARN', 'INFO', 'DEBUG'] as const

export type LogLevel = (typeof LOG_LEVELS)[number]

const wordSchema = z.string().min(1).max(200)

export const logFilterSchema = z.object({
  types: z.array(z.enum(LOG_TYPES)).min(1).max(LOG_TYPES.length),
  /** Epoch milliseconds, both included. */
  from: z.int().min(0),
  to: z.int().min(0),
  /** Lines that have a level, and are not as important, are left out. */
  level: z.enum(LOG_LEVELS).optional(),
  /** All of them are in the line. */
  keywords: z.array(wordSchema).max(8),
  /** None of them is. */
  exclude: z.array(wordSchema).max(8),
  /** A regular expression as `log-pattern` takes it. */
  pattern: z.string().min(1).max(LOG_PATTERN_MAX_CHARS).optional(),
})

export type LogFilter = z.infer<typeof logFilterSchema>

/** Bound of a bundle as it is sent. */
export const LOG_BUNDLE_MAX_BYTES = 32 * 1024 * 1024

/** What a node says before it sends a bundle, and the place that it is told. */
export const logUploadSchema = z.object({
  nodeId: z.string().min(1).max(60),
  instanceId: z.string().min(1).max(40),
  operationId: z.string().min(1).max(60),
  bytes: z.int().min(1).max(LOG_BUNDLE_MAX_BYTES),
})

export type LogUpload = z.infer<typeof logUploadSchema>

/** A URL that takes one PUT of so many bytes, soon. */
export const logPlaceSchema = z.object({ url: z.url().max(4000) })

/** Facts of the answer line, as far as the plane reads them. */
export const logFactsSchema = z.object({
  bytes: z.int(),
  sha256: z.string(),
  files: z.int(),
  lines: z.int(),
  partial: z.boolean(),
  /** Why it is not all; empty where it is. */
  why: z.string(),
})

export type LogFacts = z.infer<typeof logFactsSchema>
