import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

/** A TCP relay, whose connections can be made bad. Each way says how much it met. */
export type Relay = {
  port: number;
  /** Resets all connections; how many. */
  cut: () => number;
  /** Brings nothing for so long; how many bytes waited. */
  stall: (forMs: number) => Promise<number>;
  /** Brings each piece so much later, for so long; how many pieces were late. */
  slow: (byMs: number, forMs: number) => Promise<number>;
  /** Nothing comes through the connections that there are, and no end of them either: so it is where a firewall forgot them. How many. */
  forget: () => number;
  stop: () => Promise<void>;
};

/** Starts a relay to a host. */
export async function startRelay(to: { host: string; port: number }): Promise<Relay> {
  const pairs = new Set<readonly [Socket, Socket]>();
  const forgotten = new Set<Socket>();
  let open = Promise.resolve();
  let stalled = false;
  let lateByMs = 0;
  const met = { bytes: 0, pieces: 0 };

  // Pieces of one direction one after the other, so that none overtakes another when the delay changes.
  const forward = async (from: Socket, into: Socket): Promise<void> => {
    for await (const piece of from as AsyncIterable<Buffer>) {
      if (forgotten.has(from)) continue;
      if (stalled) met.bytes += piece.byteLength;
      await open;
      if (lateByMs > 0) {
        met.pieces += 1;
        await delay(lateByMs);
      }
      if (!into.write(piece)) await Promise.race([once(into, "drain"), once(into, "close")]);
    }
  };

  const server = createServer({ noDelay: true }, (near) => {
    const far = connect({ ...to, noDelay: true });
    const pair = [near, far] as const;
    pairs.add(pair);
    for (const [from, into] of [pair, [far, near] as const]) {
      from.on("error", () => undefined); // a reset is what this is for
      from.once("close", () => {
        pairs.delete(pair);
        if (!forgotten.delete(from)) into.destroy();
      });
      forward(from, into).then(
        () => forgotten.has(from) || into.end(),
        () => forgotten.has(from) || into.destroy(),
      );
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");

  const cut = (): number => {
    const count = pairs.size;
    for (const [near, far] of pairs) {
      near.resetAndDestroy();
      far.destroy();
    }
    return count;
  };
  return {
    port: (server.address() as AddressInfo).port,
    cut,
    async stall(forMs) {
      const gate = Promise.withResolvers<void>();
      open = gate.promise;
      stalled = true;
      met.bytes = 0;
      await delay(forMs);
      stalled = false;
      gate.resolve();
      return met.bytes;
    },
    async slow(byMs, forMs) {
      lateByMs = byMs;
      met.pieces = 0;
      await delay(forMs);
      lateByMs = 0;
      return met.pieces;
    },
    forget() {
      for (const pair of pairs) for (const socket of pair) forgotten.add(socket);
      return pairs.size;
    },
    async stop() {
      server.close();
      cut();
    },
  };
}
