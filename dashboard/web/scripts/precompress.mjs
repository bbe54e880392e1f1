// Writes a .br and a .gz beside each text file of dist, so that the hub packs nothing at run time.
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

const dist = fileURLToPath(new URL('../dist', import.meta.url));
const TEXT = /\.(js|css|html|svg|json|txt)$/;

for (const name of readdirSync(dist, { recursive: true })) {
  const path = join(dist, name);
  if (!TEXT.test(name) || !statSync(path).isFile()) continue;
  const plain = readFileSync(path);
  const packed = [
    ['.gz', gzipSync(plain, { level: 9 })],
    ['.br', brotliCompressSync(plain, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } })],
  ];
  // A packed file that is hardly smaller costs an unpacking for nothing.
  for (const [suffix, bytes] of packed) if (bytes.length < plain.length * 0.95) writeFileSync(path + suffix, bytes);
}
