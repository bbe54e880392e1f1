// What a person has chosen for this browser: language, theme, keys. Kept in localStorage under one key.

export type Lang = 'zh' | 'en';
export type Theme = 'light' | 'dark' | 'auto';

const KEY = 'gridward.settings';

interface Saved {
  lang: Lang;
  theme: Theme;
  keys: boolean;
}

function saved(): Saved {
  const fallback: Saved = { lang: 'zh', theme: 'auto', keys: true };
  try {
    return { ...fallback, ...(JSON.parse(localStorage.getItem(KEY) ?? '{}') as Partial<Saved>) };
  } catch {
    return fallback;
  }
}

class Settings {
  lang = $state<Lang>('zh');
  theme = $state<Theme>('auto');
  /** Whether single keys act (WCAG 2.1.4 wants them switchable off). */
  keys = $state(true);
  #systemDark = $state(false);

  constructor() {
    const { lang, theme, keys } = saved();
    this.lang = lang;
    this.theme = theme;
    this.keys = keys;
    const dark = matchMedia('(prefers-color-scheme: dark)');
    this.#systemDark = dark.matches;
    dark.addEventListener('change', () => (this.#systemDark = dark.matches));
  }

  get dark(): boolean {
    return this.theme === 'dark' || (this.theme === 'auto' && this.#systemDark);
  }

  /** Writes the page's attributes and the store on every change; called once by the root component. */
  keep(): void {
    $effect(() => {
      document.documentElement.dataset['theme'] = this.dark ? 'dark' : 'light';
      document.documentElement.lang = this.lang === 'zh' ? 'zh-CN' : 'en';
      try {
        localStorage.setItem(KEY, JSON.stringify({ lang: this.lang, theme: this.theme, keys: this.keys } satisfies Saved));
      } catch {
        // A browser without storage forgets; everything else works.
      }
    });
  }
}

export const settings = new Settings();
