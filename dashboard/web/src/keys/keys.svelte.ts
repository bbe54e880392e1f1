// The keyboard. A component says which keys it answers while it lives; the help shows what is said here and nothing else.
//
// Single keys are off while a person types, while a dialog is open, and when the person has switched them off.

import { untrack } from 'svelte';
import { settings } from '../settings/settings.svelte';

export interface KeyBinding {
  /** `j`, `Enter`, `g o` (one after the other), `Alt+s`, `Ctrl+k`. Letters in lower case. */
  key: string;
  /** What it does, in words. */
  label: string;
  /** Returns false when it does not apply now, so that the browser gets the key. */
  run: (event: KeyboardEvent) => void | boolean;
  /** Shown under "everywhere" instead of "on this page". */
  everywhere?: boolean;
  /** What the help shows instead of the key, as `1–9`. */
  shown?: string;
  /** Not listed, as the second of two keys for one thing. */
  unlisted?: boolean;
}

/** How long the first of two keys waits for the second. */
const SEQUENCE_MS = 1500;

class Keys {
  #sets = $state.raw<KeyBinding[][]>([]);
  #first = '';
  #firstAt = 0;

  /** All keys that act now: those of the page before those of everywhere, the ones said last first. */
  get bindings(): KeyBinding[] {
    const all = this.#sets.flat();
    return [...all.filter((binding) => !binding.everywhere), ...all.filter((binding) => binding.everywhere)];
  }

  add(set: KeyBinding[]): () => void {
    this.#sets = [set, ...this.#sets];
    return () => (this.#sets = this.#sets.filter((other) => other !== set));
  }

  hear = (event: KeyboardEvent): void => {
    if (event.defaultPrevented || event.isComposing) return;
    const name = nameOf(event);
    const plain = !event.ctrlKey && !event.metaKey && !event.altKey;
    if (document.querySelector('dialog[open]')) return;
    if (plain && (!settings.keys || isTyping(event.target))) return;
    // Enter and space belong to the control that has the focus.
    if (plain && (name === 'Enter' || name === ' ') && isControl(event.target)) return;
    const sequence = event.timeStamp - this.#firstAt < SEQUENCE_MS && this.#first ? `${this.#first} ${name}` : '';
    this.#first = '';
    for (const wanted of sequence ? [sequence, name] : [name]) {
      for (const binding of this.bindings) {
        if (binding.key !== wanted) continue;
        if (binding.run(event) === false) continue;
        event.preventDefault();
        return;
      }
    }
    if (plain && this.bindings.some((binding) => binding.key.startsWith(`${name} `))) {
      this.#first = name;
      this.#firstAt = event.timeStamp;
      event.preventDefault();
    }
  };
}

function nameOf(event: KeyboardEvent): string {
  // With Alt, some layouts give another letter; the key's place tells which was meant.
  const letter = event.altKey && event.code.startsWith('Key') ? event.code.slice(3) : event.key;
  const key = letter.length === 1 ? letter.toLowerCase() : letter;
  return `${event.ctrlKey || event.metaKey ? 'Ctrl+' : ''}${event.altKey ? 'Alt+' : ''}${key}`;
}

function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target instanceof HTMLInputElement) return !['checkbox', 'radio', 'button', 'submit', 'range'].includes(target.type);
  return target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement || target.isContentEditable;
}

function isControl(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.closest('button, a, summary, [role="button"], [role="grid"]') !== null;
}

export const keys = new Keys();

/** Answers these keys while the component lives. */
export function useKeys(bindings: () => KeyBinding[]): void {
  $effect(() => {
    const set = bindings();
    // Adding reads the sets it changes; following them would begin this effect again.
    return untrack(() => keys.add(set));
  });
}
