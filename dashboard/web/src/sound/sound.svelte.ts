// One tone per level, repeated until the incident is acknowledged. Browsers allow sound after a person has acted on the
// page; the log-in is such an act. Silence lasts two minutes at most.

import type { Level } from '../api/types.gen';
import { clock } from '../time/clock.svelte';

export const MUTE_MS = 120_000;

/** Beeps of one call: pitch in Hz, length and pause in s; and the seconds from call to call. */
const CALLS: Record<Level, { pitch: number[]; beepS: number; gapS: number; everyS: number }> = {
  red: { pitch: [988, 740, 988, 740], beepS: 0.16, gapS: 0.05, everyS: 2 },
  orange: { pitch: [880, 880, 880], beepS: 0.14, gapS: 0.09, everyS: 4 },
  yellow: { pitch: [659, 659], beepS: 0.16, gapS: 0.12, everyS: 10 },
  blue: { pitch: [523], beepS: 0.22, gapS: 0, everyS: 30 },
};
const LOUDNESS = 0.22;

class Sound {
  /** Whether the browser lets us sound. */
  armed = $state(false);
  /** The hub's time until which it is silent. */
  mutedUntil = $state(0);
  /** What calls now. */
  calling = $state<Level | undefined>(undefined);

  #context: AudioContext | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  get muted(): boolean {
    return this.mutedUntil > clock.now;
  }

  /** Asks the browser for sound; works only from a click or key of the person. */
  async arm(): Promise<void> {
    try {
      this.#context ??= new AudioContext();
      this.#context.onstatechange = () => (this.armed = this.#context?.state === 'running');
      await this.#context.resume();
    } catch {
      // No audio device; the chip in the header says that sound is off.
    }
    this.armed = this.#context?.state === 'running';
  }

  mute(): void {
    this.mutedUntil = this.muted ? 0 : clock.ms() + MUTE_MS;
  }

  /** Calls this level from now on; none for silence. */
  call(level: Level | undefined): void {
    if (level === this.calling) return;
    this.calling = level;
    clearTimeout(this.#timer);
    if (level) this.#repeat(level);
  }

  test(): void {
    this.#beep('yellow');
  }

  #repeat(level: Level): void {
    if (this.mutedUntil <= clock.ms()) this.#beep(level);
    this.#timer = setTimeout(() => this.#repeat(level), CALLS[level].everyS * 1000);
  }

  #beep(level: Level): void {
    const context = this.#context;
    if (context?.state !== 'running') return;
    const { pitch, beepS, gapS } = CALLS[level];
    pitch.forEach((hz, nth) => {
      const begin = context.currentTime + 0.02 + nth * (beepS + gapS);
      const tone = context.createOscillator();
      const volume = context.createGain();
      tone.type = 'triangle';
      tone.frequency.value = hz;
      // Ramps, so that no click is heard.
      volume.gain.setValueAtTime(0, begin);
      volume.gain.linearRampToValueAtTime(LOUDNESS, begin + 0.015);
      volume.gain.setValueAtTime(LOUDNESS, begin + beepS - 0.03);
      volume.gain.linearRampToValueAtTime(0, begin + beepS);
      tone.connect(volume).connect(context.destination);
      tone.start(begin);
      tone.stop(begin + beepS);
    });
  }
}

export const sound = new Sound();
