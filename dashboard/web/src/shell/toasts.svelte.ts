// Short messages at the edge of the screen: what was done, or what someone else did.

export interface Toast {
  key: number;
  text: string;
  detail?: string;
}

const SHOWN_MS = 6000;

class Toasts {
  items = $state.raw<Toast[]>([]);
  #key = 0;

  say(text: string, detail?: string): void {
    const key = (this.#key += 1);
    this.items = [...this.items, { key, text, ...(detail ? { detail } : {}) }].slice(-4);
    setTimeout(() => this.dismiss(key), SHOWN_MS);
  }

  dismiss(key: number): void {
    this.items = this.items.filter((toast) => toast.key !== key);
  }
}

export const toasts = new Toasts();
