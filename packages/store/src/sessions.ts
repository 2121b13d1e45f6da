import { createHash, randomBytes } from "node:crypto";
import { Schema, type Model } from "mongoose";

/** A browser's session as it is stored, by the digest of what the browser holds: whose token it stands for, and until when. */
export type SessionDocument = { _id: string; token: string; expiresAt: Date };

export const sessionSchema = new Schema<SessionDocument>(
  { _id: { type: String, required: true }, token: { type: String, required: true }, expiresAt: { type: Date, required: true } },
  { collection: "sessions", versionKey: false, strict: "throw", strictQuery: "throw", autoIndex: false, autoCreate: false },
);
sessionSchema.index({ expiresAt: 1 }, { name: "expiry", expireAfterSeconds: 0 });

/** The sessions of browsers: each stands for a token without being one, and ends with it. */
export type SessionStore = ReturnType<typeof createSessionStore>;

function digestOf(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

export function createSessionStore(model: Model<SessionDocument>) {
  return {
    /** Begins a session for the holder of a token. Its text is in this answer and nowhere else. */
    async begin(token: string, forMs: number): Promise<string> {
      const text = randomBytes(32).toString("base64url");
      await model.insertOne({ _id: digestOf(text), token, expiresAt: new Date(Date.now() + forMs) });
      return text;
    },

    /** The id of the token that a session stands for; null if there is none with this text, or its time is over. */
    async find(text: string): Promise<string | null> {
      const session = await model.findById(digestOf(text)).lean<SessionDocument>();
      return session !== null && session.expiresAt.getTime() > Date.now() ? session.token : null; // the index removes it up to a minute late
    },

    /** Ends a session. */
    async end(text: string): Promise<void> {
      await model.deleteOne({ _id: digestOf(text) });
    },
  };
}
