type Waiting<In, Out> = { item: In; resolve: (out: Out) => void; reject: (error: unknown) => void };

/**
 * Makes one call of many: what is asked while a few calls are under way waits for one of them, and then goes out together. A
 * command costs MongoDB and the driver several times what is in it, so a crowd is served at a fraction, and whoever comes alone
 * waits for nothing. `send` answers each item in its place, with an Error to what failed alone; what it throws is for all.
 */
export function together<In, Out>(
  send: (items: readonly In[]) => Promise<readonly (Out | Error)[]>,
  { underWay: most = 2, items: largest = 100 } = {},
): (item: In) => Promise<Out> {
  const waiting: Waiting<In, Out>[] = [];
  let underWay = 0;

  const sendNext = async (): Promise<void> => {
    const batch = waiting.splice(0, largest);
    try {
      const answers = await send(batch.map(({ item }) => item));
      for (const [n, { resolve, reject }] of batch.entries()) {
        const answer = answers[n] as Out | Error;
        if (answer instanceof Error) reject(answer);
        else resolve(answer);
      }
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  };

  const sendAll = async (): Promise<void> => {
    underWay++;
    while (waiting.length > 0) await sendNext();
    underWay--;
  };

  return async (item) =>
    new Promise((resolve, reject) => {
      waiting.push({ item, resolve, reject });
      if (underWay < most) void sendAll();
    });
}
