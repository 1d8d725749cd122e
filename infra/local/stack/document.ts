/** The document of Run Command that carries orders: made, or brought up to date. */
import {
  CreateDocumentCommand,
  type SSMClient,
  UpdateDocumentCommand,
  UpdateDocumentDefaultVersionCommand,
} from '@aws-sdk/client-ssm'
import { NODE_DOCUMENT, nodeDocument } from '../../documents.ts'

export async function registerDocument(ssm: SSMClient): Promise<void> {
  const Content = JSON.stringify(nodeDocument)
  try {
    await ssm.send(
      new CreateDocumentCommand({ Name: NODE_DOCUMENT, Content, DocumentType: 'Command' }),
    )
  } catch (error) {
    if ((error as Error).name !== 'DocumentAlreadyExists') throw error
    await updateDocument(ssm, Content)
  }
}

async function updateDocument(ssm: SSMClient, Content: string): Promise<void> {
  try {
    const answer = await ssm.send(
      new UpdateDocumentCommand({ Name: NODE_DOCUMENT, Content, DocumentVersion: '$LATEST' }),
    )
    const DocumentVersion = answer.DocumentDescription?.DocumentVersion ?? '1'
    await ssm.send(
      new UpdateDocumentDefaultVersionCommand({ Name: NODE_DOCUMENT, DocumentVersion }),
    )
  } catch (error) {
    if ((error as Error).name !== 'DuplicateDocumentContent') throw error
  }
}
