import { createWebhookStore, type SettingsDocument, type WebhookStore } from "./webhooks.ts";
import mongoose, { mongo, type Connection } from "mongoose";
import { createOutputStore, outputSchema, type OutputDocument, type OutputStore } from "./chunks.ts";
import { StoreError } from "./errors.ts";
import { readBacklog, type Backlog } from "./backlog.ts";
import { hostSchema, type HostDocument } from "./host-schema.ts";
import { createHostStore, type HostStore } from "./hosts.ts";
import { createInputStore, inputSchema, type InputDocument, type InputStore } from "./input.ts";
import { jobSchema, type JobDocument } from "./job-schema.ts";
import { createJobStore, type JobStore } from "./jobs.ts";
import { createLeaseStore, leaseSchema, type LeaseDocument, type LeaseStore } from "./lease.ts";
import { migrate } from "./migrate.ts";
import { podSchema, type PodDocument } from "./pod-schema.ts";
import { createExpiryStore, type ExpiryStore } from "./pod-expiry.ts";
import { createAdmissionStore, ownerSchema, type AdmissionStore, type OwnerDocument } from "./admissions.ts";
import { createPodStore, type PodStore } from "./pods.ts";
import { createRoom } from "./room.ts";
import { createReconcileStore, type ReconcileStore } from "./pod-reconcile.ts";
import { createSightingStore, sightingSchema, type SightingDocument, type SightingStore } from "./sightings.ts";
import { createSessionStore, sessionSchema, type SessionDocument, type SessionStore } from "./sessions.ts";
import { createTemplateStore, templateSchema, type TemplateDocument, type TemplateStore } from "./templates.ts";
import { createTokenStore, tokenSchema, type TokenDocument, type TokenStore } from "./tokens.ts";

/** How this code lays out its data. A database of a later version is not touched. */
const dataVersion = 2;

/** Options of {@link openStore}. */
export type StoreOptions = {
  /** `mongodb://host:port/database?replicaSet=...`. */
  uri: string;
  /** Name shown in MongoDB's own logs. */
  appName: string;
  /** How long jobs and their output are kept after their end. Default 7 days. */
  retentionMs?: number;
  /** Unfinished jobs that one pod's line may have. Default 1000. */
  maxBacklog?: number;
  /** Connections to MongoDB. Default 20. */
  maxPoolSize?: number;
};

/** podq's data in MongoDB: all writes are durable (majority, journalled) when they return. */
export type Store = {
  jobs: JobStore;
  pods: PodStore;
  hosts: HostStore;
  admissions: AdmissionStore;
  expiry: ExpiryStore;
  reconcile: ReconcileStore;
  sightings: SightingStore;
  output: OutputStore;
  input: InputStore;
  leases: LeaseStore;
  tokens: TokenStore;
  templates: TemplateStore;
  webhooks: WebhookStore;
  sessions: SessionStore;
  /** Counts the unfinished jobs of all pods. Reads each of their records: not for every request. */
  backlog: () => Promise<Backlog>;
  close: () => Promise<void>;
};

/** Connects, checks that podq's promises hold on this server, and makes the indexes. Throws StoreError `unreachable`, `unfit`. */
export async function openStore(options: StoreOptions): Promise<Store> {
  const { uri, appName, retentionMs = 7 * 86_400_000, maxBacklog = 1000, maxPoolSize = 20 } = options;
  const connection = await connect(uri, {
    appName,
    maxPoolSize,
    serverSelectionTimeoutMS: 5_000,
    // A connection that was forgotten on the way answers nothing, for ever: the driver's heartbeat finds out within these two, and
    // then what hangs in all others of that server is tried again on new ones.
    connectTimeoutMS: 5_000,
    heartbeatFrequencyMS: 5_000,
    socketTimeoutMS: 30_000, // and where only some were forgotten, after this: a few of them would hold up all that goes together
    waitQueueTimeoutMS: 10_000,
    bufferCommands: false,
    autoIndex: false,
    autoCreate: false,
    promoteBuffers: true,
    writeConcern: { w: "majority", j: true },
  });
  try {
    await checkServer(connection);
    const models = {
      jobs: connection.model<JobDocument>("Job", jobSchema),
      pods: connection.model<PodDocument>("Pod", podSchema),
      hosts: connection.model<HostDocument>("Host", hostSchema),
      owners: connection.model<OwnerDocument>("Owner", ownerSchema),
      output: connection.model<OutputDocument>("Output", outputSchema),
      input: connection.model<InputDocument>("Input", inputSchema),
      sightings: connection.model<SightingDocument>("Sighting", sightingSchema),
      leases: connection.model<LeaseDocument>("Lease", leaseSchema),
      tokens: connection.model<TokenDocument>("Token", tokenSchema),
      templates: connection.model<TemplateDocument>("Template", templateSchema),
      sessions: connection.model<SessionDocument>("Session", sessionSchema),
    };
    await Promise.all(
      [models.jobs, models.pods, models.output, models.input, models.sessions, models.templates].map((model) => model.createIndexes()),
    );
    await models.owners.createCollection();
    return {
      jobs: createJobStore(models.jobs, { retentionMs, maxBacklog }),
      pods: createPodStore(models.pods, createRoom(models.pods, models.hosts)),
      hosts: createHostStore(models.hosts, models.pods),
      admissions: createAdmissionStore(models.owners, models.pods, models.hosts),
      expiry: createExpiryStore(models.pods),
      reconcile: createReconcileStore(models.pods, models.jobs),
      sightings: createSightingStore(models.sightings),
      output: createOutputStore(models.output, { retentionMs }),
      input: createInputStore(models.input),
      leases: createLeaseStore(models.leases),
      tokens: createTokenStore(models.tokens),
      templates: createTemplateStore(models.templates),
      webhooks: createWebhookStore(models.jobs, connection.db!.collection<SettingsDocument>("meta")),
      sessions: createSessionStore(models.sessions),
      backlog: async () => readBacklog(models.jobs),
      close: async () => connection.close(),
    };
  } catch (error) {
    await connection.close();
    throw asStoreError(error);
  }
}

async function connect(uri: string, options: mongoose.ConnectOptions): Promise<Connection> {
  try {
    return await mongoose.createConnection(uri, options).asPromise();
  } catch (error) {
    throw asStoreError(error);
  }
}

function asStoreError(error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  if (error instanceof mongo.MongoAPIError || (error instanceof Error && error.name === "MongoParseError"))
    return new StoreError("unfit", `MONGODB_URI is not usable: ${reason}; it looks like mongodb://host:27017/podq?replicaSet=rs0`, {
      cause: error,
    });
  if (error instanceof mongo.MongoServerError && error.codeName?.startsWith("Index"))
    return new StoreError(
      "unfit",
      `MongoDB has an index of another kind where podq needs its own: ${reason}; drop that index, then start again`,
      { cause: error },
    );
  return new StoreError("unreachable", `MongoDB cannot be reached: ${reason}; check MONGODB_URI and that it runs`, { cause: error });
}

async function checkServer(connection: Connection): Promise<void> {
  const database = connection.db!;
  const hello = await database.command({ hello: 1 });
  if (hello.setName === undefined && hello.msg !== "isdbgrid")
    throw new StoreError(
      "unfit",
      "MongoDB is not a replica set, so its writes can be lost; start it with --replSet and run rs.initiate() once (one member is enough)",
    );
  const meta = database.collection<{ _id: string; version: number }>("meta");
  const data = await meta.findOneAndUpdate(
    { _id: "data" },
    { $setOnInsert: { version: dataVersion } },
    { upsert: true, returnDocument: "after" },
  );
  if (data !== null && data.version > dataVersion)
    throw new StoreError("unfit", `the data in MongoDB is of version ${data.version}, this podq knows ${dataVersion}: use the newer podq`);
  if (data !== null && data.version < dataVersion) {
    await migrate(database, data.version);
    await meta.updateOne({ _id: "data" }, { $max: { version: dataVersion } });
  }
}
