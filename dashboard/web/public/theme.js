// Before the first paint, so that a dark room never sees a white flash. The names are those of src/settings.
try {
  const saved = JSON.parse(localStorage.getItem('gridward.settings') ?? '{}');
  const dark = saved.theme === 'dark' || (saved.theme !== 'light' && matchMedia('(prefers-color-scheme: dark)').matches);
  document.documentElement.dataset.theme = dark ? 'dark' : 'light';
  document.documentElement.lang = saved.lang === 'en' ? 'en' : 'zh-CN';
} catch {
  document.documentElement.dataset.theme = 'light';
}
