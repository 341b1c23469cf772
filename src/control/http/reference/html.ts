/** Text as HTML, where a tag's content or an attribute in double quotes is expected. */
export function escaped(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}

/** A line as descriptions have it: what is between backticks is code. */
export function prose(text: string): string {
  return escaped(text).replaceAll(/`([^`]+)`/g, '<code>$1</code>');
}

/** Of several paragraphs, with an empty line between. */
export function paragraphs(text: string): string {
  return text
    .split('\n\n')
    .map((each) => `<p>${prose(each)}</p>`)
    .join('\n');
}

export function code(text: string): string {
  return `<code>${escaped(text)}</code>`;
}

/** Scrolls sideways by itself, also with the keyboard. */
export function block(text: string, label: string): string {
  return `<pre tabindex="0" aria-label="${escaped(label)}"><code>${escaped(text)}</code></pre>`;
}

export function json(value: unknown): string {
  return JSON.stringify(value, null, 2);
}

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[], tag: string) =>
    `<tr>${cells.map((cell) => `<${tag}>${cell}</${tag}>`).join('')}</tr>`;
  return `<div class="wide" tabindex="0"><table>
<thead>${line(head, 'th')}</thead>
<tbody>${rows.map((row) => line(row, 'td')).join('\n')}</tbody>
</table></div>`;
}
