/** Curves as SVG, both axes logarithmic, in colours that can be read on a light and on a dark page. */

export interface Curve {
  readonly name: string;
  /** By x, ascending. */
  readonly points: readonly (readonly [x: number, y: number])[];
}

export interface Picture {
  readonly title: string;
  readonly x: string;
  readonly y: string;
  readonly curves: readonly Curve[];
  /** How the first curve should grow: drawn through its middle, dashed. */
  readonly expected: 'flat' | 'linear';
}

const width = 640;
const height = 360;
const edge = { left: 70, right: 160, top: 40, bottom: 50 };
const colours = ['#2f81f7', '#db6d28', '#3fa650', '#a371f7'];
const grey = '#808080';

export function svgOf({ title, x, y, curves, expected }: Picture): string {
  const points = curves.flatMap((curve) => curve.points);
  const across = axis(
    points.map(([value]) => value),
    [edge.left, width - edge.right],
  );
  const up = axis(
    points.map(([, value]) => value),
    [height - edge.bottom, edge.top],
  );
  const place = ([px, py]: readonly [number, number]): string =>
    `${round(across.at(px))},${round(up.at(py))}`;
  const levels = [...new Set(points.map(([value]) => value))].toSorted((a, b) => a - b);
  const shape = expectation(curves[0]!, expected).map(place).join(' ');
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12" fill="${grey}">`,
    `<title>${escaped(title)}</title>`,
    text(edge.left, 20, title, 'font-size="14" font-weight="bold"'),
    ...up.ticks.flatMap((value) => [
      `<line x1="${edge.left}" x2="${width - edge.right}" y1="${round(up.at(value))}" y2="${round(up.at(value))}" stroke="${grey}" stroke-opacity="0.3"/>`,
      text(edge.left - 8, up.at(value) + 4, label(value), 'text-anchor="end"'),
    ]),
    ...levels.map((value) =>
      text(across.at(value), height - edge.bottom + 18, label(value), 'text-anchor="middle"'),
    ),
    text((edge.left + width - edge.right) / 2, height - 10, x, 'text-anchor="middle"'),
    text(16, height / 2, y, `text-anchor="middle" transform="rotate(-90 16 ${height / 2})"`),
    `<polyline points="${shape}" fill="none" stroke="${grey}" stroke-dasharray="5 5"/>`,
    text(width - edge.right + 12, edge.top + 10 + 20 * curves.length, `- - ${expected}`),
    ...curves.flatMap((curve, at) => {
      const colour = colours[at % colours.length]!;
      return [
        `<polyline points="${curve.points.map(place).join(' ')}" fill="none" stroke="${colour}" stroke-width="2"/>`,
        ...curve.points.map(
          ([px, py]) =>
            `<circle cx="${round(across.at(px))}" cy="${round(up.at(py))}" r="3" fill="${colour}"/>`,
        ),
        text(width - edge.right + 12, edge.top + 10 + 20 * at, curve.name, `fill="${colour}"`),
      ];
    }),
    '</svg>\n',
  ].join('\n');
}

/** Through the middle point, as far as the curve goes. */
function expectation({ points }: Curve, expected: Picture['expected']): [number, number][] {
  const [mx, my] = points[Math.floor(points.length / 2)]!;
  const grown = (x: number): number => (expected === 'flat' ? my : (my * x) / mx);
  // What is below the lowest value would leave the picture.
  const least = Math.min(...points.map(([, y]) => y));
  return points.map(([x]): [number, number] => [x, grown(x)]).filter(([, y]) => y >= least);
}

interface Axis {
  readonly ticks: readonly number[];
  at(value: number): number;
}

/** Flat curves shall look so. */
const leastSpan = 30;

/** Whole steps of 1, 2, 5 around all values. */
function axis(values: readonly number[], [from, to]: readonly [number, number]): Axis {
  const steps = Array.from({ length: 30 }, (_, power) =>
    [1, 2, 5].map((step) => step * 10 ** (power - 10)),
  ).flat();
  let first = steps.findLastIndex((step) => step <= Math.min(...values));
  let last = steps.findIndex((step) => step > Math.max(...values));
  while (steps[last]! / steps[first]! < leastSpan) {
    first -= 1;
    if (steps[last]! / steps[first]! < leastSpan) last += 1;
  }
  const [least, most] = [steps[first]!, steps[last]!];
  const part = (value: number): number => Math.log(value / least) / Math.log(most / least);
  return {
    ticks: steps.filter((step) => step >= least && step <= most),
    at: (value) => from + (to - from) * part(value),
  };
}

function text(x: number, y: number, words: string, more = ''): string {
  return `<text x="${round(x)}" y="${round(y)}" ${more}>${escaped(words)}</text>`;
}

function label(value: number): string {
  return value >= 1 ? value.toLocaleString('en') : String(Number(value.toPrecision(1)));
}

function round(value: number): string {
  return value.toFixed(1);
}

function escaped(words: string): string {
  return words.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
