/** One server-sent event. */
export type ServerEvent = { event: string; data: string };

/** The events of a stream as they come. Comments, and what was cut off in its middle, are none. */
export async function* eventsOf(body: AsyncIterable<Uint8Array> | null): AsyncGenerator<ServerEvent> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of body ?? []) {
    rest += decoder.decode(chunk, { stream: true });
    for (let end = rest.indexOf("\n\n"); end >= 0; end = rest.indexOf("\n\n")) {
      const lines = rest.slice(0, end).split("\n");
      rest = rest.slice(end + 2);
      const field = (name: string): string | undefined => lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
      const [event, data] = [field("event"), field("data")];
      if (event !== undefined && data !== undefined) yield { event, data };
    }
  }
}
