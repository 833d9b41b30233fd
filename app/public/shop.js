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

async function showRelease() {
  try {
    const { commit, digest, colour } = await ask('version');
    find('commit').textContent = commit?.slice(0, 12) ?? 'unknown';
    find('digest').textContent = digest?.slice(0, 19) ?? 'unknown';
    if (colour !== null) {
      find('colour').textContent = colour;
      find('colour').dataset.colour = colour;
    }
  } catch {
    find('commit').textContent = find('digest').textContent = 'unknown';
  }
}

await Promise.all([showProducts(), showRelease()]);
