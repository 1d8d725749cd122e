/** Parts of a tar archive of a few text files, as ustar has it. Pure. */
const BLOCK = 512

/** `bytes` is the size of what follows the header. Names have at most 100 bytes. */
export type TarHead = { readonly name: string; readonly bytes: number; readonly at: number }

/** Behind all files. */
export const TAR_END = Buffer.alloc(2 * BLOCK)

/** Behind each file of that size. */
export function tarPadding(bytes: number): Buffer {
  return Buffer.alloc((BLOCK - (bytes % BLOCK)) % BLOCK)
}

export function tarHeader({ name, bytes, at }: TarHead): Buffer {
  const block = Buffer.alloc(BLOCK)
  const octal = (value: number, digits: number) => value.toString(8).padStart(digits, '0')
  block.write(name, 0, 100)
  block.write(octal(0o600, 7), 100)
  for (const place of [108, 116]) block.write(octal(0, 7), place)
  block.write(octal(bytes, 11), 124)
  block.write(octal(Math.floor(at / 1000), 11), 136)
  block.fill(0x20, 148, 156)
  block.write('0', 156)
  block.write('ustar\u000000', 257, 'latin1')
  const sum = block.reduce((total, byte) => total + byte, 0)
  block.write(`${octal(sum, 6)}\0 `, 148, 'latin1')
  return block
}
