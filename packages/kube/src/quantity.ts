const DECIMAL: Record<string, number> = { n: -9, u: -6, m: -3, "": 0, k: 3, M: 6, G: 9, T: 12, P: 15, E: 18 };
const BINARY: Record<string, number> = { Ki: 10, Mi: 20, Gi: 30, Ti: 40, Pi: 50, Ei: 60 };

/** A Kubernetes resource quantity ("200Mi", "0.5", "100m", "1e3") in billionths, exactly; undefined if it is none. */
export function parseQuantity(text: string): bigint | undefined {
  const match = /^([+-]?)(\d*)(?:\.(\d*))?(?:([eE][+-]?\d{1,3})|([numkMGTPE]|[KMGTPE]i)?)$/.exec(text);
  if (match === null) return undefined;
  const [, sign, whole = "", fraction = "", exponent, suffix = ""] = match;
  const digits = whole + fraction;
  if (digits === "") return undefined;
  const binary = BINARY[suffix];
  const power = (exponent === undefined ? (DECIMAL[suffix] ?? 0) : Number(exponent.slice(1))) - fraction.length + 9;
  const scaled = BigInt(digits) * (binary === undefined ? 1n : 1n << BigInt(binary));
  // Below a billionth Kubernetes rounds away from zero.
  const value = power >= 0 ? scaled * 10n ** BigInt(power) : (scaled + 10n ** BigInt(-power) - 1n) / 10n ** BigInt(-power);
  return sign === "-" ? -value : value;
}

/** Whether two quantities mean the same amount, however they are written: "1" and "1000m" do. */
export function sameQuantity(a: string | undefined, b: string | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  const left = parseQuantity(a);
  return left === undefined ? a === b : left === parseQuantity(b);
}
