"use strict";
// What the page holds compressed: taken out when it is first needed, or before, while nothing else is to be done.
const packed = (() => {
  const bytes = new Map(); // by element, once it is taken out
  const coming = new Map();
  const decoder = new TextDecoder();
  const take = (element) => {
    if (!coming.has(element)) {
      coming.set(element, (async () => {
        const stored = Uint8Array.from(atob(element.textContent.trim()), (letter) => letter.charCodeAt(0));
        const stream = new Blob([stored]).stream().pipeThrough(new DecompressionStream("gzip"));
        bytes.set(element, new Uint8Array(await new Response(stream).arrayBuffer()));
        element.textContent = "";
      })());
    }
    return coming.get(element);
  };
  const text = (element) => decoder.decode(bytes.get(element));

  // A block is a length, JSON, and arrays' bytes: all first bytes of the values, then all second ones.
  const opened = (element) => {
    const all = bytes.get(element);
    const length = new DataView(all.buffer).getUint32(0, true);
    return [JSON.parse(decoder.decode(all.subarray(4, 4 + length))), all.subarray(4 + length)];
  };
  const sizeOf = (dtype) => Number(dtype.slice(1));
  const whole = ({ at, count, dtype }, planes) => {
    const size = sizeOf(dtype);
    const values = new Uint8Array(count * size);
    for (let byte = 0; byte < size; byte += 1) {
      for (let one = 0; one < count; one += 1) values[one * size + byte] = planes[at + byte * count + one];
    }
    return values;
  };
  const encoded = (values) => {
    let letters = "";
    for (let at = 0; at < values.length; at += 8192) letters += String.fromCharCode(...values.subarray(at, at + 8192));
    return btoa(letters);
  };
  // What hovering tells, by the number that stands for it.
  let pool;
  const pooled = () => {
    if (!pool) {
      const [{ texts, rows }, planes] = opened(document.getElementById("pool"));
      pool = { texts, rows: new Map() };
      for (const { places, columns } of rows) {
        const numbers = columns.map((column) => new Float32Array(whole(column, planes).buffer));
        const where = new Int32Array(texts.length);
        new Uint32Array(whole(places, planes).buffer).forEach((place, at) => { where[place] = at; });
        pool.rows.set(columns.length, { numbers, where });
      }
    }
    return pool;
  };
  const told = (described, planes) => {
    const places = new Uint32Array(whole(described, planes).buffer);
    const { texts, rows } = pooled();
    const { outer, width } = described;
    const { numbers, where } = rows.get(width);
    const values = new Float32Array(places.length * width);
    places.forEach((place, at) => numbers.forEach((column, one) => { values[at * width + one] = column[where[place]]; }));
    const flat = Array.from(places, (place) => texts[place]);
    const [height, across] = outer;
    const text = across === undefined ? flat : Array.from({ length: height }, (_, row) => flat.slice(row * across, (row + 1) * across));
    return { text, customdata: { dtype: "f4", bdata: encoded(new Uint8Array(values.buffer)), shape: [...outer, width].join(", ") } };
  };
  const filled = (node, planes) => {
    for (const [name, value] of Object.entries(node)) {
      if (!value || typeof value !== "object") continue;
      if (value.beside) {
        const { dtype, shape } = value.beside;
        node[name] = { dtype, bdata: encoded(whole(value.beside, planes)), ...(shape ? { shape } : {}) };
      } else filled(value, planes);
    }
    return node;
  };
  // A figure as plotly reads it, new at each call; its element and the pool must have been taken out.
  const figure = (element) => {
    const [stored, planes] = opened(element);
    for (const trace of stored.data) {
      if (trace.pooled) {
        Object.assign(trace, told(trace.pooled, planes));
        delete trace.pooled;
      }
    }
    return filled(stored, planes);
  };

  // Plotly is run as the inline script that the page's policy names by its hash.
  const plotly = (async () => {
    const source = document.getElementById("plotly");
    if (!source) return;
    await Promise.all([take(source), take(document.getElementById("pool"))]);
    const script = document.createElement("script");
    script.textContent = text(source);
    document.head.append(script);
    bytes.set(source, new Uint8Array());
  })();
  const ready = (element) => bytes.has(element) && typeof Plotly !== "undefined";
  const figureTaken = (element) => Promise.all([plotly, take(element)]);
  return { take, taken: (element) => bytes.has(element), text, figure, figureTaken, figureReady: ready };
})();
