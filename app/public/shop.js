const find = (id) => document.getElementById(id);

async function ask(path) {
  const response = await fetch(path, { headers: { accept: 'application/json' } });
  if (!response.ok) {
    throw new Error(`${path} answered ${response.status}`);
  }
  return response.json();
}

const price = ({ priceCents, currency }) =>
  new Intl.NumberFormat(navigator.language, { style: 'currency', currency }).format(priceCents / 100);

async function showProducts() {
  try {
    const { products } = await ask('api/products');
    find('products').replaceChildren(...products.map(card));
    find('notice').hidden = true;
  } catch {
    find('notice').textContent = 'The penguins did not answer. Please reload the page in a moment.';
  }
}

function card(product) {
  const item = find('card').content.cloneNode(true);
  item.querySelector('.penguin').dataset.species = product.id;
  item.querySelector('.name').textContent = product.name;
  item.querySelector('.summary').textContent = product.summary;
  item.querySelector('.price').textContent = price(product);
  item.querySelector('button').addEventListener('click', () => showDetail(product.id));
  return item;
}

async function showDetail(id) {
  try {
    const product = await ask(`api/products/${encodeURIComponent(id)}`);
    find('detail').querySelector('.penguin').dataset.species = product.id;
    find('detail-name').textContent = product.name;
    find('detail-description').textContent = product.description;
    find('detail-price').textContent = price(product);
    find('detail-height').textContent = `${product.heightCm} cm tall`;
    find('detail').showModal();
  } catch {
    find('notice').hidden = false;
    find('notice').textContent = 'This penguin did not answer. Please try again.';
  }
}

function show({ commit, digest, colour }) {
  find('commit').textContent = commit?.slice(0, 12) ?? 'unknown';
  find('digest').textContent = digest?.slice(0, 19) ?? 'unknown';
  if (colour !== null) {
    find('colour').textContent = colour;
    find('colour').dataset.colour = colour;
  }
}

/** @returns {Promise<string | null>} the commit that this page came from, as well as one can tell */
async function showRelease() {
  try {
    const release = await ask('version');
    show(release);
    return release.commit;
  } catch {
    find('commit').textContent = find('digest').textContent = 'unknown';
    return null;
  }
}

const shortestWait = 1000;
const longestWait = 30_000;

/** Hears from the shop which release serves it now, and offers the new page when that is another one than this page's. */
function watchRelease(own, wait = shortestWait) {
  const address = new URL('live', document.baseURI);
  address.protocol = address.protocol === 'https:' ? 'wss:' : 'ws:';
  const socket = new WebSocket(address);
  let heard = false;
  socket.addEventListener('message', ({ data }) => {
    heard = true;
    const release = JSON.parse(data);
    show(release);
    if (own !== null && release.commit !== own) {
      find('renewed').hidden = false;
    }
  });
  // Each conversation ends after a while, and the next may be with another release. One that never began is tried less often.
  socket.addEventListener('close', () => {
    const next = heard ? shortestWait : Math.min(wait * 2, longestWait);
    setTimeout(() => watchRelease(own, next), next);
  });
}

find('reload').addEventListener('click', () => location.reload());
const [, own] = await Promise.all([showProducts(), showRelease()]);
watchRelease(own);
