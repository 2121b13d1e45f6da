import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server } from "node:net";
import { afterAll, beforeAll, expect, it } from "vitest";
import { startRelay, type Relay } from "./relay.ts";

let echo: Server;
let relay: Relay;
beforeAll(async () => {
  echo = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.pipe(socket);
  }).listen(0, "127.0.0.1");
  await once(echo, "listening");
  relay = await startRelay({ host: "127.0.0.1", port: (echo.address() as AddressInfo).port });
});
afterAll(async () => {
  await relay.stop();
  echo.close();
});

async function open() {
  const socket = connect(relay.port, "127.0.0.1");
  await once(socket, "connect");
  const say = async (text: string): Promise<string> => {
    socket.write(text);
    return String((await once(socket, "data"))[0]);
  };
  expect(await say("hello")).toBe("hello");
  return { socket, say };
}

it("says how many connections it cut", async () => {
  const { socket } = await open();
  const reset = once(socket, "error");
  expect(relay.cut()).toBe(1);
  expect((await reset)[0]).toMatchObject({ code: "ECONNRESET" });
  expect(relay.cut()).toBe(0);
});

it("brings nothing while it stalls, all of it afterwards, and says how much waited", async () => {
  const { socket, say } = await open();
  const stalled = relay.stall(100);
  const order: string[] = [];
  const answer = say("late").then((text) => order.push(text));
  const waited = await stalled;
  order.push("over");
  await answer;
  expect(waited).toBe(4);
  expect(order).toEqual(["over", "late"]);
  socket.destroy();
});

it("brings pieces late, and says how many", async () => {
  const { socket, say } = await open();
  const slow = relay.slow(5, 200);
  expect(await say("piece")).toBe("piece");
  expect(await slow).toBe(2);
  socket.destroy();
});

it("forgets connections without a word, and lets new ones through", async () => {
  const { socket } = await open();
  expect(relay.forget()).toBe(1);
  const heard: string[] = [];
  for (const event of ["data", "end", "close"]) socket.on(event, () => heard.push(event));
  socket.write("into the void");
  const again = await open();
  expect(await again.say("still here")).toBe("still here");
  expect(heard).toEqual([]);
  for (const one of [socket, again.socket]) one.destroy();
});
