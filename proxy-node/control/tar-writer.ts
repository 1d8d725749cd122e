/** A tar archive of a few small text files, as ustar has it. Pure. */
const BLOCK = 512

export type TarFile = { readonly name: string; readonly bytes: Uint8Array; readonly at: number }

/** Names have at most 100 bytes. */
export function tarOf(files: readonly TarFile[]): Buffer {
  const parts = files.flatMap(file => {
    const padding = (BLOCK - (file.bytes.length % BLOCK)) % BLOCK
    return [headerOf(file), file.bytes, Buffer.alloc(padding)]
  })
  return Buffer.concat([...parts, Buffer.alloc(2 * BLOCK)])
}

function headerOf({ name, bytes, at }: TarFile): Buffer {
  const block = Buffer.alloc(BLOCK)
  const octal = (value: number, digits: number) => value.toString(8).padStart(digits, '0')
  block.write(name, 0, 100)
  block.write(octal(0o600, 7), 100)
  for (const place of [108, 116]) block.write(octal(0, 7), place)
  block.write(octal(bytes.length, 11), 124)
  block.write(octal(Math.floor(at / 1000), 11), 136)
  block.fill(0x20, 148, 156)
  block.write('0', 156)
  block.write('ustar\u000000', 257, 'latin1')
  const sum = block.reduce((total, byte) => total + byte, 0)
  block.write(`${octal(sum, 6)}\0 `, 148, 'latin1')
  return block
}
