// Fills a heap with orders and writes two snapshots, the second after 200 more orders:
// node v8_program.mjs ORDERS BEFORE AFTER. About 8 nodes and 23 edges an order.
import v8 from 'node:v8';

class Order {
  constructor(number, previous) {
    this.price = number + 0.5;
    this.name = `order-${number}`;
    this.lines = [{ quantity: number }, `tag-${number % 100}`];
    this.previous = previous;
    if (number % 10 === 0) this.onPaid = () => this;
  }
}

const orders = new Map();
let last = null;
function add(number) {
  last = new Order(number, last);
  orders.set(`key-${number}`, last);
}

const [, , count, before, after] = process.argv;
for (let number = 0; number < Number(count); number++) add(number);
globalThis.orders = orders;
v8.writeHeapSnapshot(before);
for (let number = 0; number < 200; number++) add(Number(count) + number);
v8.writeHeapSnapshot(after);
