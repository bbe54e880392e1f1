// Writes src/api/types.gen.ts from openapi.json (`gridward openapi > dashboard/web/openapi.json`).
// With --check it writes nothing and fails when the file is not what it would write.
//
// Covers what utoipa makes of our model: objects, enums, unions, intersections, arrays, tuples, maps, null. Anything
// else stops it with the place, so that no type is silently `unknown`.
import { readFileSync, writeFileSync } from 'node:fs';

const root = new URL('../', import.meta.url);
const target = new URL('src/api/types.gen.ts', root);

export function generate(document) {
  const schemas = Object.entries(document.components.schemas).sort(([a], [b]) => (a < b ? -1 : 1));
  const types = schemas.map(([name, schema]) => `${comment(schema.description, '')}export type ${name} = ${typeOf(schema, name, '')};\n`);
  return ['// Made by scripts/types.mjs from openapi.json; do not edit.\n', ...types].join('\n');
}

function typeOf(schema, where, indent) {
  if (schema === true || Object.keys(schema).every((key) => key === 'description' || key === 'default')) return 'unknown';
  if (schema.$ref) return schema.$ref.replace('#/components/schemas/', '');
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(' | ');
  const several = schema.oneOf ?? schema.anyOf;
  if (several) return unique(several.map((one) => typeOf(one, where, indent))).join(' | ');
  if (schema.allOf) return schema.allOf.map((one) => bracket(typeOf(one, where, indent))).join(' & ');
  if (Array.isArray(schema.type)) return unique(schema.type.map((type) => typeOf({ ...schema, type }, where, indent))).join(' | ');
  switch (schema.type) {
    case 'string':
      return 'string';
    case 'integer':
    case 'number':
      return 'number';
    case 'boolean':
      return 'boolean';
    case 'null':
      return 'null';
    case 'array':
      return schema.prefixItems
        ? `[${schema.prefixItems.map((item) => typeOf(item, where, indent)).join(', ')}]`
        : `${bracket(typeOf(schema.items, where, indent))}[]`;
    case 'object':
      return objectOf(schema, where, indent);
    default:
      throw new Error(`${where}: cannot make a type of ${JSON.stringify(schema)}`);
  }
}

function objectOf(schema, where, indent) {
  if (!schema.properties) {
    const values = schema.additionalProperties;
    return values ? `Record<string, ${typeOf(values, where, indent)}>` : 'Record<string, unknown>';
  }
  const inner = `${indent}  `;
  const required = new Set(schema.required ?? []);
  const lines = Object.entries(schema.properties).map(([name, property]) => {
    const optional = required.has(name) ? '' : '?';
    return `${comment(property.description, inner)}${inner}${name}${optional}: ${typeOf(property, `${where}.${name}`, inner)};\n`;
  });
  return `{\n${lines.join('')}${indent}}`;
}

const unique = (types) => [...new Set(types)];
const bracket = (type) => (type.includes(' | ') || type.includes(' & ') ? `(${type})` : type);

function comment(text, indent) {
  return text ? `${indent}/** ${text.replaceAll('*/', '').replaceAll(/\s*\n\s*/g, ' ').trim()} */\n` : '';
}

const made = generate(JSON.parse(readFileSync(new URL('openapi.json', root), 'utf8')));
if (process.argv.includes('--check')) {
  if (readFileSync(target, 'utf8') !== made) {
    console.error('src/api/types.gen.ts is not what openapi.json says; run `npm run types`');
    process.exit(1);
  }
} else {
  writeFileSync(target, made);
}
