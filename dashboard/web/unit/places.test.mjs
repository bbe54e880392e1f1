import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clustersOf, isFault } from '../src/map/clusters.ts';
import { gridAt, gridGroups, gridsWithin, gridTree, holds } from '../src/town/grids.ts';
import { distanceM, sensorsNear } from '../src/town/near.ts';

const square = (lon, lat, side) => [
  [lon, lat],
  [lon + side, lat],
  [lon + side, lat + side],
  [lon, lat + side],
  [lon, lat],
];

test('clusters hold every point once and stand at their middle', () => {
  const points = Array.from({ length: 13_000 }, (_, n) => ({ id: `c-${n}`, kind: 'camera', x: (n % 130) * 10, y: Math.floor(n / 130) * 10 }));
  const clusters = clustersOf(points, 100);
  assert.equal(clusters.length, 130);
  assert.equal(clusters.reduce((sum, cluster) => sum + cluster.points.length, 0), 13_000);
  assert.deepEqual([clusters[0].x, clusters[0].y], [45, 45]);
});

test('points on both sides of zero are not one cluster', () => {
  assert.equal(clustersOf([{ id: 'a', kind: 'camera', x: -1, y: 0 }, { id: 'b', kind: 'camera', x: 1, y: 0 }], 100).length, 2);
});

test('idle and unknown are no faults', () => {
  assert.deepEqual(['live', 'idle', 'unknown', 'connecting'].filter(isFault), []);
  assert.ok(['offline', 'stalled', 'silent', 'auth_failed', 'degraded'].every(isFault));
});

test('a place belongs to the innermost grid', () => {
  const grids = [
    { id: 'town', name: '镇', parent: null, outline: square(106, 29, 1) },
    { id: 'village', name: '村', parent: 'town', outline: square(106, 29, 0.5) },
    { id: 'grid', name: '格', parent: 'village', outline: square(106, 29, 0.1) },
  ];
  assert.equal(gridAt(grids, { lon: 106.05, lat: 29.05 }).id, 'grid');
  assert.equal(gridAt(grids, { lon: 106.3, lat: 29.3 }).id, 'village');
  assert.equal(gridAt(grids, { lon: 10, lat: 29.3 }), undefined);
  assert.deepEqual(gridGroups(new Map(grids.map((grid) => [grid.id, grid]))), [{ name: '村', grids: [grids[2]] }]);
});

test('grids stand behind what holds them, and an area is a grid with all inside it', () => {
  const parents = { town: null, east: 'town', west: 'town', 'east-1': 'east', 'east-2': 'east', 'west-1': 'west', lone: 'hidden' };
  const grids = new Map(Object.entries(parents).map(([id, parent]) => [id, { id, name: id, parent }]));
  assert.deepEqual(gridTree(grids).map(({ grid, depth }) => `${depth} ${grid.id}`), ['0 town', '1 east', '2 east-1', '2 east-2', '1 west', '2 west-1', '0 lone']);
  assert.deepEqual([...gridsWithin(grids, 'east')], ['east', 'east-1', 'east-2']);
  assert.deepEqual([...gridsWithin(grids, 'west')], ['west', 'west-1']);
  assert.equal(gridsWithin(grids, 'town').size, 6);
  assert.deepEqual([...gridsWithin(grids, 'lone')], ['lone']);
  assert.deepEqual([...gridsWithin(grids, 'none')], ['none']);
  const ring = new Map([['a', { id: 'a', name: 'a', parent: 'b' }], ['b', { id: 'b', name: 'b', parent: 'a' }]]);
  assert.deepEqual(gridTree(ring), [], 'grids that hold each other are under nothing');
});

test('a notch of an outline is outside', () => {
  const notched = [
    [0, 0],
    [4, 0],
    [4, 4],
    [2, 1],
    [0, 4],
    [0, 0],
  ];
  assert.equal(holds(notched, { lon: 2, lat: 3 }), false);
  assert.equal(holds(notched, { lon: 0.5, lat: 2 }), true);
});

test('the incident’s own sensors come first, then the nearest within reach', () => {
  const sensor = (id, lat) => [id, { id, kind: 'sensor', place: { lon: 106, lat } }];
  const sources = new Map([sensor('far', 29.1), sensor('near', 29.001), sensor('nearer', 29.0005), sensor('own', 29.05), ['cam', { id: 'cam', kind: 'camera', place: { lon: 106, lat: 29 } }]]);
  assert.deepEqual(sensorsNear({ sources: ['own', 'cam'], place: { lon: 106, lat: 29 } }, sources), ['own', 'nearer', 'near']);
  assert.ok(Math.abs(distanceM({ lon: 106, lat: 29 }, { lon: 106, lat: 29.001 }) - 111) < 1);
});
