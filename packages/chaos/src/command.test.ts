import { expect, it } from "vitest";
import { parseCommand } from "./command.ts";

it("reads what a run is to be", () => {
  expect(parseCommand(["--faults", "1000", "--seed", "5", "--cluster", "real", "--defaults"])).toEqual({
    faults: 1000,
    seed: 5,
    cluster: "real",
    defaults: true,
    without: undefined,
    controls: false,
    only: undefined,
  });
  expect(parseCommand(["--only", "worker-kill,ssh-cut"])).toMatchObject({ only: ["worker-kill", "ssh-cut"], faults: 150 });
  expect(parseCommand(["--without", "turn"])).toMatchObject({ faults: 200, without: "turn", cluster: "embedded" });
  expect(parseCommand(["--controls"])).toMatchObject({ faults: 200, controls: true });
});

it("draws a seed where none is given", () => {
  expect(parseCommand([]).seed).not.toBe(parseCommand([]).seed);
});

it.each([[["--faults", "x"]], [["--faults", "0"]], [["--cluster", "c"]], [["--without", "luck"]], [["more"]], [["--only", "rain"]]])(
  "refuses %j",
  (argv) => {
    expect(() => parseCommand(argv)).toThrow(/usage: chaos/);
  },
);
