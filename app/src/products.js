/** What the shop sells. Prices are whole cents of the currency, so that no sum is ever rounded. */
export const products = [
  {
    id: 'emperor',
    name: 'Emperor',
    priceCents: 8900,
    currency: 'EUR',
    heightCm: 115,
    summary: 'The tall one. Stands through any winter and never complains.',
    description: 'Hand-stitched felt over a weighted base, with a golden blush on the neck. Keeps its place on a shelf, a desk or an ice floe.',
  },
  {
    id: 'king',
    name: 'King',
    priceCents: 6900,
    currency: 'EUR',
    heightCm: 90,
    summary: 'Slimmer than an emperor and twice as curious.',
    description: 'Soft wool with bright orange ears. Our most travelled penguin: it fits beside you in a train seat.',
  },
  {
    id: 'gentoo',
    name: 'Gentoo',
    priceCents: 4900,
    currency: 'EUR',
    heightCm: 75,
    summary: 'The fastest swimmer of them all, even in the bath.',
    description: 'A waterproof penguin of recycled rubber with a white bonnet stripe. Floats upright, dries quickly.',
  },
  {
    id: 'adelie',
    name: 'Adélie',
    priceCents: 3900,
    currency: 'EUR',
    heightCm: 60,
    summary: 'Small, smart and always in evening dress.',
    description: 'The classic black and white, with a white ring round each eye. Collects pebbles if you leave it some.',
  },
  {
    id: 'macaroni',
    name: 'Macaroni',
    priceCents: 4500,
    currency: 'EUR',
    heightCm: 65,
    summary: 'For those who think that a penguin should have eyebrows.',
    description: 'A yellow crest of silk threads that survives cuddles and gentle washing by hand.',
  },
  {
    id: 'little-blue',
    name: 'Little Blue',
    priceCents: 2500,
    currency: 'EUR',
    heightCm: 33,
    summary: 'The smallest penguin of the world. Goes into a coat pocket.',
    description: 'Slate-blue plush with a soft white belly. Sold one at a time, rarely bought alone.',
  },
];

const byId = new Map(products.map((product) => [product.id, product]));

/** @returns the product of that id, or undefined */
export const findProduct = (id) => byId.get(id);
