// Loads a model with @magenta/music from the address given, decodes the z's on standard input, prints the classes.
// Usage: node magenta_js.cjs FOLDER_OF_NODE_MODULES ADDRESS, with {"z": [[...]], "steps": n, "depths": [...]} on stdin.
const { createRequire } = require('module');
const path = require('path');
const load = createRequire(path.join(process.argv[2], 'index.js'));
console.log = () => {};
const tf = load('@tensorflow/tfjs');
const { MusicVAE } = load('@magenta/music/node/music_vae');
const asked = JSON.parse(require('fs').readFileSync(0, 'utf8'));

(async () => {
  const model = new MusicVAE(process.argv[3]);
  await model.initialize();
  const z = tf.tensor2d(asked.z);
  const steps = await model.decodeTensors(z, 0);
  const parts = tf.split(steps, asked.depths, 2).map((part) => part.argMax(2).arraySync());
  const sequences = await model.decode(z, 0);
  const answer = { classes: parts, notes: sequences.map((sequence) => sequence.notes.length) };
  if (asked.notes) {
    const one = tf.oneHot(tf.tensor2d(asked.notes, undefined, 'int32'), asked.depths[0]).toFloat();
    answer.mu = (await model.encodeTensors(one)).arraySync();
  }
  process.stdout.write(JSON.stringify(answer));
})().catch((error) => {
  process.stderr.write(String(error && error.stack));
  process.exit(1);
});
