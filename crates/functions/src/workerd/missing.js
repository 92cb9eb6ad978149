// Stands for a binding that this server does not have: there, so that code can look for it, and of no use.
export default ({ message }) => {
  const refuse = () => {
    throw new Error(message);
  };
  // What languages and consoles ask of any object, as when it is awaited or printed.
  const harmless = new Set(["then", "toJSON", "toString", "valueOf", "constructor", "inspect"]);
  return new Proxy(function binding() {}, {
    get: (target, key) => (typeof key === "symbol" || harmless.has(key) ? undefined : refuse()),
    apply: refuse,
    construct: refuse,
  });
};
