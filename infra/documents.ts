/**
 * The one Command document of Systems Manager: every lifecycle command is its parameter `order`
 * (ssm-run-command.md §9). Agents without ENV_VAR interpolation paste the value as text into the
 * script, so the pattern leaves nothing that could end the word it stands in.
 */

export const NODE_DOCUMENT = 'obfleet-node'

/** Seconds a verb may run on a node. */
export const EXECUTION_TIMEOUT_SEC = 600

export const nodeDocument = {
  schemaVersion: '2.2',
  description: 'Runs one lifecycle command of obfleet on this instance.',
  parameters: {
    order: {
      type: 'String',
      description: 'base64url JSON: verb, expiry, and one entry an instance',
      allowedPattern: '^[A-Za-z0-9_-]{1,16384}$',
    },
  },
  mainSteps: [
    {
      action: 'aws:runShellScript',
      name: 'run',
      precondition: { StringEquals: ['platformType', 'Linux'] },
      inputs: {
        timeoutSeconds: `${EXECUTION_TIMEOUT_SEC}`,
        runCommand: [
          'set -a',
          'if [ -r /etc/obfleet/node.env ]; then . /etc/obfleet/node.env; fi',
          'set +a',
          `exec "\${OBFLEET_ROOT}/opt/obfleet/current/obproxy" node run '{{ order }}'`,
        ],
      },
    },
  ],
} as const
