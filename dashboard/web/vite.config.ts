import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vite';

// A hub for `npm run dev`; the build knows no address, the hub serves it under its own.
const hub = process.env['GRIDWARD_URL'] ?? 'http://127.0.0.1:8080';

export default defineConfig({
  plugins: [svelte()],
  build: {
    // Chromium 94 and later: what the domestic desktops ship.
    target: 'es2022',
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  server: { proxy: { '/api': { target: hub, ws: true }, '/healthz': hub } },
});
