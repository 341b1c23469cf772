import type { Client } from 'pg';

/** The table of the walk-through: enough rows and columns that a first query is worth looking at. */
const products: readonly (readonly [name: string, category: string, price: string])[] = [
  ['Drip Coffee Maker, 12 Cup', 'Kitchen', '54.90'],
  ['Burr Coffee Grinder', 'Kitchen', '89.00'],
  ['Gooseneck Kettle, 1 L', 'Kitchen', '64.50'],
  ['Cast Iron Skillet, 26 cm', 'Kitchen', '39.95'],
  ["Chef's Knife, 20 cm", 'Kitchen', '72.00'],
  ['Bamboo Cutting Board', 'Kitchen', '24.99'],
  ['Stand Mixer, 4.5 L', 'Kitchen', '279.00'],
  ['Glass Food Containers, Set of 10', 'Kitchen', '34.90'],
  ['Digital Kitchen Scale', 'Kitchen', '19.95'],
  ['Mechanical Keyboard, Tenkeyless', 'Electronics', '119.00'],
  ['Wireless Mouse', 'Electronics', '29.99'],
  ['USB-C Hub, 7 Ports', 'Electronics', '45.00'],
  ['Noise-Cancelling Headphones', 'Electronics', '249.00'],
  ['Portable SSD, 1 TB', 'Electronics', '99.90'],
  ['27-Inch Monitor, QHD', 'Electronics', '289.00'],
  ['Webcam, 1080p', 'Electronics', '69.00'],
  ['Bluetooth Speaker', 'Electronics', '79.95'],
  ['Power Bank, 20000 mAh', 'Electronics', '42.50'],
  ['Smart Plug, Pack of 4', 'Electronics', '36.00'],
  ['Desk Lamp, Dimmable', 'Office', '48.00'],
  ['Ergonomic Office Chair', 'Office', '329.00'],
  ['Standing Desk, 140 cm', 'Office', '449.00'],
  ['Monitor Arm', 'Office', '89.90'],
  ['Dot Grid Notebook, A5', 'Office', '14.50'],
  ['Gel Pens, Pack of 12', 'Office', '11.90'],
  ['Desk Organizer, Oak', 'Office', '32.00'],
  ['Paper Shredder', 'Office', '74.99'],
  ['Yoga Mat, 6 mm', 'Sports', '38.00'],
  ['Adjustable Dumbbells, 24 kg', 'Sports', '199.00'],
  ['Resistance Bands, Set of 5', 'Sports', '22.95'],
  ['Foam Roller', 'Sports', '26.50'],
  ['Trail Running Backpack, 12 L', 'Sports', '84.00'],
  ['Insulated Water Bottle, 750 ml', 'Sports', '27.90'],
  ['Bicycle Repair Stand', 'Sports', '109.00'],
  ['LED Bike Light Set', 'Sports', '33.00'],
  ['Linen Duvet Cover, 200 x 200 cm', 'Home', '129.00'],
  ['Wool Throw Blanket', 'Home', '69.90'],
  ['Scented Candle, Cedar', 'Home', '18.50'],
  ['Ceramic Plant Pot, 18 cm', 'Home', '21.00'],
  ['Robot Vacuum', 'Home', '319.00'],
  ['Air Purifier, 40 m2', 'Home', '159.00'],
  ['Cordless Drill, 18 V', 'Home', '94.50'],
];

/** Any number, the same for everybody who creates the table. */
const lockKey = 5_439_042;

/** Creates and fills `main.products` in one transaction, unless a table of that name is there. */
export async function createSampleTable(client: Client): Promise<void> {
  await client.query('BEGIN');
  await client.query('SELECT pg_advisory_xact_lock($1)', [lockKey]);
  const { rows } = await client.query<{ present: boolean }>(
    "SELECT to_regclass('main.products') IS NOT NULL AS present",
  );
  if (rows[0]?.present !== true) await createAndFill(client);
  await client.query('COMMIT');
}

async function createAndFill(client: Client): Promise<void> {
  const values = products.map(
    (_, index) => `(${index + 1}, $${index * 3 + 1}, $${index * 3 + 2}, $${index * 3 + 3})`,
  );
  await client.query(
    'CREATE TABLE main.products (id integer PRIMARY KEY, name text NOT NULL, category text, price numeric(10,2))',
  );
  await client.query(
    `INSERT INTO main.products (id, name, category, price) VALUES ${values.join(', ')}`,
    products.flat(),
  );
}
