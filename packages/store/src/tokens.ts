import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { Schema, type Model } from "mongoose";

/** What a token may do: look; also enqueue, cancel and signal; also administer, for those without owners. */
export const scopes = ["read", "run", "admin"] as const;
/** One of them. */
export type Scope = (typeof scopes)[number];

/** A token as it is stored: of the secret itself only its digest. `owners`: `project/ID`, `conversation/ID`; empty: everybody's. */
export type TokenDocument = {
  _id: string;
  digest: string;
  label: string;
  scope: Scope;
  owners: string[];
  /** Where the ends of its jobs are told that name no callback of their own; a token from before there were any has not even null. */
  callbackUrl?: string | null;
  createdAt: Date;
  revokedAt: Date | null;
};

export const tokenSchema = new Schema<TokenDocument>(
  {
    _id: { type: String, required: true },
    digest: { type: String, required: true },
    label: { type: String, required: true },
    scope: { type: String, enum: scopes, required: true },
    owners: { type: [String], required: true },
    callbackUrl: { type: String, default: null },
    createdAt: { type: Date, required: true },
    revokedAt: { type: Date, default: null },
  },
  { collection: "tokens", versionKey: false, strict: "throw", strictQuery: "throw", autoIndex: false, autoCreate: false },
);

/** The tokens of the API. */
export type TokenStore = ReturnType<typeof createTokenStore>;

const pattern = /^podq_([0-9a-f]{12})_([A-Za-z0-9_-]{43})$/;

// A secret of 256 random bits needs no slow hash: there is nothing to guess.
function digestOf(secret: string): string {
  return createHash("sha256").update(secret).digest("hex");
}

export function createTokenStore(model: Model<TokenDocument>) {
  return {
    /** Makes a token. Its text is in this answer and nowhere else. */
    async create(
      given: Pick<TokenDocument, "label" | "scope" | "owners" | "callbackUrl">,
      id: string = randomBytes(6).toString("hex"),
    ): Promise<{ text: string; token: TokenDocument }> {
      const secret = randomBytes(32).toString("base64url");
      const token = { _id: id, digest: digestOf(secret), callbackUrl: null, ...given, createdAt: new Date(), revokedAt: null };
      await model.insertOne(token);
      return { text: `podq_${id}_${secret}`, token };
    },

    /** Makes the first token of a database, unless there is one, or ever was a first: of many that ask at once, one has it made. */
    async createFirst(given: Parameters<typeof this.create>[0]): Promise<{ text: string; token: TokenDocument } | null> {
      if ((await model.exists({ revokedAt: null })) !== null) return null;
      try {
        return await this.create(given, "000000000000");
      } catch (error) {
        if ((error as { code?: unknown }).code === 11_000) return null;
        throw error;
      }
    },

    /** The token with this text; null if there is none, or it was revoked. */
    async find(text: string): Promise<TokenDocument | null> {
      const [, id, secret] = pattern.exec(text) ?? [];
      if (id === undefined || secret === undefined) return null;
      const token = await model.findById(id).lean<TokenDocument>();
      const same = timingSafeEqual(Buffer.from(digestOf(secret), "hex"), Buffer.from(token?.digest ?? "0".repeat(64), "hex"));
      return token !== null && same && token.revokedAt === null ? token : null;
    },

    /** The token with this id; null if there is none, or it was revoked. Proves nothing of who asks. */
    get: async (id: string): Promise<TokenDocument | null> => model.findOne({ _id: id, revokedAt: null }).lean<TokenDocument>(),

    /** Whether there is a token, or ever was one: revoked ones are kept. */
    ever: async (): Promise<boolean> => (await model.exists({})) !== null,

    /** All tokens, newest first, without their digests. */
    list: async (): Promise<Omit<TokenDocument, "digest">[]> =>
      model.find({}, { digest: 0 }).sort({ createdAt: -1 }).lean<Omit<TokenDocument, "digest">[]>(),

    /** Revokes a token; it stays in the list. False: there is none with this id that counts. */
    revoke: async (id: string): Promise<boolean> =>
      (await model.updateOne({ _id: id, revokedAt: null }, { $set: { revokedAt: new Date() } })).modifiedCount === 1,
  };
}
