// Whether the screen is a phone's: one column, no room beside the queue. The width is that of the styles' 720px.

class Narrow {
  yes = $state(false);

  constructor() {
    const query = matchMedia('(max-width: 720px)');
    this.yes = query.matches;
    query.addEventListener('change', () => (this.yes = query.matches));
  }
}

export const narrow = new Narrow();
