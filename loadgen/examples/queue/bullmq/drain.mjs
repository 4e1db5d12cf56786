// node drain.mjs PORT JOBS CONCURRENCY: puts so many no-op jobs of 200 bytes into a queue, drains it, and prints the seconds that the
// draining took, the CPU seconds of this process meanwhile, and those of the server until it began.
import { Queue, Worker } from 'bullmq';
import { Redis } from 'ioredis';

const [port, jobs, concurrency] = process.argv.slice(2).map(Number);
const connection = { host: '127.0.0.1', port, maxRetriesPerRequest: null };
const queue = new Queue('noop', { connection, defaultJobOptions: { removeOnComplete: true } });
const data = { filler: 'x'.repeat(200) };
for (let first = 0; first < jobs; first += 1000) {
  const count = Math.min(1000, jobs - first);
  await queue.addBulk(Array.from({ length: count }, () => ({ name: 'noop', data })));
}
const client = new Redis(connection);
const serverCpu = async () => {
  const text = await client.info('cpu');
  const seconds = (name) => Number(new RegExp(`${name}:([0-9.]+)`).exec(text)[1]);
  return seconds('used_cpu_sys') + seconds('used_cpu_user');
};
const before = await serverCpu();
const cpu = process.cpuUsage();
const begun = process.hrtime.bigint();
let left = jobs;
await new Promise((resolve) => {
  const worker = new Worker('noop', async () => {}, { connection, concurrency });
  worker.on('completed', () => {
    left -= 1;
    if (left === 0) resolve();
  });
});
const took = Number(process.hrtime.bigint() - begun) / 1e9;
const used = process.cpuUsage(cpu);
console.log(took, (used.user + used.system) / 1e6, before);
process.exit(0);
