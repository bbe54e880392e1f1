// The hooks of ts.mjs: finds `./client` as `./client.ts`, takes types and runes out.
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { compileModule } from 'svelte/compiler';
import ts from 'typescript';

const OPTIONS = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022, verbatimModuleSyntax: true };

export async function resolve(specifier, context, next) {
  if (/^\.{1,2}\//.test(specifier) && !/\.(m?js|json|ts|svelte)$/.test(specifier)) {
    for (const suffix of ['.ts', '/index.ts']) {
      const url = new URL(specifier + suffix, context.parentURL);
      if (existsSync(fileURLToPath(url))) return { url: url.href, shortCircuit: true };
    }
  }
  return next(specifier, context);
}

export async function load(url, context, next) {
  if (!url.endsWith('.ts')) return next(url, context);
  const filename = fileURLToPath(url);
  const plain = ts.transpileModule(await readFile(filename, 'utf8'), { compilerOptions: OPTIONS }).outputText;
  const source = filename.endsWith('.svelte.ts') ? compileModule(plain, { filename, generate: 'client' }).js.code : plain;
  return { format: 'module', source, shortCircuit: true };
}
