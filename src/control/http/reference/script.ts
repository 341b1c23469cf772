/** The page can be read without it: it finds routes by what is typed, and opens the list of them where there is room. */
export const script = `
const find = document.querySelector('#find');
const contents = document.querySelector('#contents');
const none = document.querySelector('#none');
const routes = [...document.querySelectorAll('.route')].map((section) => ({
  section,
  link: contents.querySelector('a[href="#' + section.id + '"]').parentElement,
  text: section.textContent.toLowerCase(),
}));
const groups = [...document.querySelectorAll('[data-group]')];
const wide = matchMedia('(min-width: 52.01rem)');

function filter() {
  const words = find.value.toLowerCase().split(/\\s+/).filter(Boolean);
  let shown = 0;
  for (const { section, link, text } of routes) {
    const isFound = words.every((word) => text.includes(word));
    section.hidden = link.hidden = !isFound;
    if (isFound) shown += 1;
  }
  for (const group of groups) {
    const entries = [...group.querySelectorAll('.route, li[data-route]')];
    group.hidden = entries.length > 0 ? entries.every((entry) => entry.hidden) : words.length > 0;
  }
  none.hidden = shown > 0;
}

function fit() {
  contents.open = wide.matches;
}

document.querySelector('.find').hidden = false;
find.addEventListener('input', filter);
find.addEventListener('keydown', (event) => {
  if (event.key !== 'Escape') return;
  find.value = '';
  filter();
});
addEventListener('keydown', (event) => {
  if (event.key !== '/' || event.ctrlKey || event.metaKey || event.target === find) return;
  event.preventDefault();
  contents.open = true;
  find.focus();
});
addEventListener('hashchange', () => {
  if (!document.querySelector(':target')?.hidden) return;
  find.value = '';
  filter();
  document.querySelector(':target').scrollIntoView();
});
wide.addEventListener('change', fit);
fit();
filter();
`;
