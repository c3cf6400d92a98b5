// Made by tools/types.mjs. Not to be edited.
export interface paths {
    "/health/live": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Whether the program turns */
        get: operations["live_health_live_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/health/ready": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Whether the program can serve */
        get: operations["is_ready_health_ready_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/metrics": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Metrics, for Prometheus */
        get: operations["metrics_metrics_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/earthquakes/stream": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Every change as it commits, as server-sent events
         * @description The event's name is the change's `type`, its data the Change, its id `<epoch>-<seq>`.
         *
         *     Beside changes: `live`, `gap`, `snapshot`, and blocks with an id alone. See docs/live.md.
         */
        get: operations["stream_api_v1_earthquakes_stream_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/earthquakes/ws": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Every change as it commits, over a WebSocket
         * @description The same messages as of the stream, each a JSON object in a text frame. See docs/live.md.
         */
        get: operations["websocket_api_v1_earthquakes_ws_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/earthquakes": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Earthquakes, newest first
         * @description `{"earthquakes": […], "next": cursor or null}`; the cursor is given back as `cursor=`.
         */
        get: operations["earthquakes_api_v1_earthquakes_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/earthquakes/count": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * How many
         * @description `{"count": n}`.
         */
        get: operations["count_api_v1_earthquakes_count_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/earthquakes/{name}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * One earthquake with its solutions and its history
         * @description By its id, by `<source>:<id>`, or by an agency's bare id where that is unique (else 409, with candidates).
         *
         *     The id of one that was merged into another redirects to what it became.
         */
        get: operations["earthquake_api_v1_earthquakes__name__get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/earthquakes/{name}/shaking": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * What it means for a place: expected intensity, distance, arrival of the waves
         * @description All of it is computed: the intensity from the magnitude and the distance, the arrivals from iasp91.
         */
        get: operations["shaking_api_v1_earthquakes__name__shaking_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/earthquakes/{name}/map.png": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * It as a small map, for a message or an article
         * @description 720 × 480. The circles are where an intensity is expected, an estimate. A drill is hatched and says so.
         */
        get: operations["map_picture_api_v1_earthquakes__name__map_png_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/travel-times": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Travel times of the first P and S waves
         * @description The iasp91 curves for one depth, 0…180°: dense near the source.
         */
        get: operations["travel_time_curves_api_v1_travel_times_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/status": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * How the stream is
         * @description Each source's state, how far the change feed is, and what the consumer is doing.
         *
         *     `sources` are as earthquake-service told last, at `seenAt`; `state` is `gone` when it told nothing for a minute.
         */
        get: operations["status_api_v1_status_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /**
         * Change
         * @description One line of the change feed.
         */
        Change: {
            /** Seq */
            seq: number;
            /**
             * Type
             * @enum {string}
             */
            type: "created" | "updated" | "merged" | "split" | "deleted";
            earthquake: components["schemas"]["Earthquake"];
            /** From */
            from?: string | null;
            /**
             * Into
             * @description With `merged`: it is now a part of this one.
             */
            into?: string | null;
            /**
             * Imported
             * @description Old data read in: nobody is to be alarmed by it.
             */
            imported?: boolean | null;
            /**
             * Matches
             * @description false: it no longer fits the filter.
             */
            matches?: boolean | null;
        } & {
            [key: string]: unknown;
        };
        /**
         * Earthquake
         * @description One earthquake: its preferred event's fields, and its own.
         */
        Earthquake: {
            /**
             * Id
             * @description `eq_…`, which never changes.
             */
            id: string;
            /** Magnitude */
            magnitude: number | null;
            location: components["schemas"]["Place"];
            /**
             * Timestamp
             * @description Origin time.
             */
            timestamp: number;
            /** Source */
            source: string;
            /**
             * Updated
             * @description When the source last changed it.
             */
            updated?: number | null;
            /**
             * Mode
             * @enum {string}
             */
            mode: "actual" | "exercise" | "test";
            /**
             * Status
             * @enum {string}
             */
            status: "automatic" | "reviewed" | "deleted";
            /** Type */
            type: string;
            /**
             * Ids
             * @description What other agencies call it.
             */
            ids?: string[] | null;
            /** Magnitudetype */
            magnitudeType?: string | null;
            /** Place */
            place?: string | null;
            /** Agency */
            agency?: string | null;
            /** Url */
            url?: string | null;
            /** Felt */
            felt?: number | null;
            /** Tsunami */
            tsunami?: number | null;
            /**
             * Deptherror
             * @description km
             */
            depthError?: number | null;
            /**
             * Recordedtimestamp
             * @description Origin time before a replay shifted it.
             */
            recordedTimestamp?: number | null;
            /** Revision */
            revision: number;
            /**
             * Seq
             * @description The change that made it so.
             */
            seq: number;
            /** Firstseen */
            firstSeen: number;
            /** Changed */
            changed: number;
            /**
             * Preferred
             * @description `<source>:<id>`
             */
            preferred: string;
            /**
             * Events
             * @description Each `<source>:<id>` that belongs to it.
             */
            events: string[];
            /** Region */
            region?: string | null;
            /** Country */
            country?: string | null;
        } & {
            [key: string]: unknown;
        };
        /**
         * EarthquakeDetail
         * @description One earthquake with each source's latest event, and how it came to be.
         */
        EarthquakeDetail: {
            /**
             * Id
             * @description `eq_…`, which never changes.
             */
            id: string;
            /** Magnitude */
            magnitude: number | null;
            location: components["schemas"]["Place"];
            /**
             * Timestamp
             * @description Origin time.
             */
            timestamp: number;
            /** Source */
            source: string;
            /**
             * Updated
             * @description When the source last changed it.
             */
            updated?: number | null;
            /**
             * Mode
             * @enum {string}
             */
            mode: "actual" | "exercise" | "test";
            /**
             * Status
             * @enum {string}
             */
            status: "automatic" | "reviewed" | "deleted";
            /** Type */
            type: string;
            /**
             * Ids
             * @description What other agencies call it.
             */
            ids?: string[] | null;
            /** Magnitudetype */
            magnitudeType?: string | null;
            /** Place */
            place?: string | null;
            /** Agency */
            agency?: string | null;
            /** Url */
            url?: string | null;
            /** Felt */
            felt?: number | null;
            /** Tsunami */
            tsunami?: number | null;
            /**
             * Deptherror
             * @description km
             */
            depthError?: number | null;
            /**
             * Recordedtimestamp
             * @description Origin time before a replay shifted it.
             */
            recordedTimestamp?: number | null;
            /** Revision */
            revision: number;
            /**
             * Seq
             * @description The change that made it so.
             */
            seq: number;
            /** Firstseen */
            firstSeen: number;
            /** Changed */
            changed: number;
            /**
             * Preferred
             * @description `<source>:<id>`
             */
            preferred: string;
            /**
             * Events
             * @description Each `<source>:<id>` that belongs to it.
             */
            events: string[];
            /** Region */
            region?: string | null;
            /** Country */
            country?: string | null;
            /** Solutions */
            solutions: components["schemas"]["Event"][];
            /** History */
            history: components["schemas"]["Step"][];
        } & {
            [key: string]: unknown;
        };
        /**
         * EarthquakeList
         * @description Some earthquakes, newest first.
         */
        EarthquakeList: {
            /** Earthquakes */
            earthquakes: components["schemas"]["Earthquake"][];
            /**
             * Next
             * @description To be given back as `cursor=`; null: that was all.
             */
            next: string | null;
        } & {
            [key: string]: unknown;
        };
        /**
         * Event
         * @description What one source says of one earthquake.
         */
        Event: {
            /**
             * Id
             * @description The source's own.
             */
            id: string;
            /** Magnitude */
            magnitude: number | null;
            location: components["schemas"]["Place"];
            /**
             * Timestamp
             * @description Origin time.
             */
            timestamp: number;
            /** Source */
            source: string;
            /**
             * Updated
             * @description When the source last changed it.
             */
            updated?: number | null;
            /**
             * Mode
             * @enum {string}
             */
            mode: "actual" | "exercise" | "test";
            /**
             * Status
             * @enum {string}
             */
            status: "automatic" | "reviewed" | "deleted";
            /** Type */
            type: string;
            /**
             * Ids
             * @description What other agencies call it.
             */
            ids?: string[] | null;
            /** Magnitudetype */
            magnitudeType?: string | null;
            /** Place */
            place?: string | null;
            /** Agency */
            agency?: string | null;
            /** Url */
            url?: string | null;
            /** Felt */
            felt?: number | null;
            /** Tsunami */
            tsunami?: number | null;
            /**
             * Deptherror
             * @description km
             */
            depthError?: number | null;
            /**
             * Recordedtimestamp
             * @description Origin time before a replay shifted it.
             */
            recordedTimestamp?: number | null;
        } & {
            [key: string]: unknown;
        };
        /**
         * ExpectedIntensity
         * @description Modified Mercalli Intensity: an estimate, never a measurement; two chances in three lie in `low`…`high`.
         */
        ExpectedIntensity: {
            /** Value */
            value: number;
            /** Low */
            low: number;
            /** High */
            high: number;
            /**
             * Roman
             * @description The nearest class, I…X+.
             */
            roman: string;
            /** Shaking */
            shaking: string;
            /**
             * Model
             * @enum {string}
             */
            model: "allen-2012" | "atkinson-wald-2007";
            /**
             * Extrapolated
             * @description Magnitude or distance is outside what the model was made from.
             */
            extrapolated: boolean;
            /** Source */
            source: string;
        };
        /**
         * Place
         * @description Degrees, WGS 84.
         */
        Place: {
            /** Latitude */
            latitude: number;
            /** Longitude */
            longitude: number;
            /**
             * Depth
             * @description km below the surface, positive down.
             */
            depth?: number | null;
        } & {
            [key: string]: unknown;
        };
        /**
         * Shaking
         * @description What an earthquake means for one place.
         */
        Shaking: {
            /** Earthquake */
            earthquake: string;
            /** Revision */
            revision: number;
            /**
             * Distancekm
             * @description From the epicentre, along the surface.
             */
            distanceKm: number;
            /** Hypocentraldistancekm */
            hypocentralDistanceKm: number | null;
            intensity: components["schemas"]["ExpectedIntensity"] | null;
            /**
             * Why
             * @description Why there is no estimate.
             */
            why?: string | null;
            /**
             * Parrival
             * @description First P wave by iasp91, ms since 1970.
             */
            pArrival: number | null;
            /**
             * Sarrival
             * @description First S wave by iasp91, ms since 1970: the strong shaking begins.
             */
            sArrival: number | null;
        };
        /**
         * SourceState
         * @description A source as earthquake-service told last.
         */
        SourceState: {
            /** Name */
            name: string;
            /** State */
            state: string;
            /** Published */
            published?: number | null;
            /** Acknowledged */
            acknowledged?: number | null;
            /** Lasteventat */
            lastEventAt?: string | null;
            /**
             * Lagms
             * @description From the origin of its last event to its publication.
             */
            lagMs?: number | null;
            /** Lasterror */
            lastError?: string | null;
            /** Seenat */
            seenAt?: number | null;
        } & {
            [key: string]: unknown;
        };
        /**
         * Step
         * @description One line of an earthquake's history.
         */
        Step: {
            /** Seq */
            seq: number;
            /**
             * Time
             * @description The catalogue's.
             */
            time: number;
            /** What */
            what: string;
            /** Why */
            why: string;
            event?: components["schemas"]["Event"] | null;
        } & {
            [key: string]: unknown;
        };
        /**
         * StreamStatus
         * @description How the stream is.
         */
        StreamStatus: {
            /**
             * Now
             * @description The server's clock.
             */
            now: number;
            /** Epoch */
            epoch: string;
            /** Seq */
            seq: number;
            /** Earthquakes */
            earthquakes: number;
            /** Eventspersecond */
            eventsPerSecond: number;
            /** Sources */
            sources: components["schemas"]["SourceState"][];
        } & {
            [key: string]: unknown;
        };
        /**
         * TravelTimes
         * @description When the first P and S waves arrive, by distance from the epicentre.
         */
        TravelTimes: {
            /**
             * Model
             * @default iasp91
             * @constant
             */
            model: "iasp91";
            /** Depthkm */
            depthKm: number;
            /** Distancedeg */
            distanceDeg: number[];
            /**
             * Ps
             * @description Seconds after the origin.
             */
            pS: number[];
            /**
             * Ss
             * @description Seconds after the origin.
             */
            sS: number[];
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    live_health_live_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        [key: string]: string;
                    };
                };
            };
        };
    };
    is_ready_health_ready_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": unknown;
                };
            };
            /** @description No */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    metrics_metrics_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/plain; version=1.0.0; charset=utf-8": string;
                };
            };
        };
    };
    stream_api_v1_earthquakes_stream_get: {
        parameters: {
            query?: {
                /** @description Earliest origin time: ISO 8601 or ms since 1970. */
                starttime?: string | null;
                /** @description Latest origin time. */
                endtime?: string | null;
                minmagnitude?: number | null;
                maxmagnitude?: number | null;
                /** @description km, positive down. */
                mindepth?: number | null;
                /** @description km, positive down. */
                maxdepth?: number | null;
                minlatitude?: number | null;
                maxlatitude?: number | null;
                minlongitude?: number | null;
                maxlongitude?: number | null;
                /** @description Centre of a circle, with `longitude` and a radius. */
                latitude?: number | null;
                longitude?: number | null;
                /** @description km along the surface. */
                minradiuskm?: number | null;
                /** @description km along the surface. */
                maxradiuskm?: number | null;
                /** @description Only `actual`, `exercise` or `test`; all when absent. */
                mode?: ("actual" | "exercise" | "test") | null;
                /** @description Also those that their sources have withdrawn. */
                includedeleted?: boolean;
                /** @description The id of the last message that was received, `<epoch>-<seq>`, or a `seq` of this epoch. */
                since?: string | null;
                /** @description Begin with what was changed then: ISO 8601 or ms since 1970. */
                sinceTime?: string | null;
                /** @description Begin with the earthquakes that match, as they stand. */
                snapshot?: boolean;
            };
            header?: {
                /** @description As `since`; it wins, for a browser that comes back sends both. */
                "Last-Event-ID"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Of each change, in its `data` */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/event-stream": components["schemas"]["Change"];
                };
            };
            /** @description Bad Request */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        type: string;
                        title: string;
                        status: number;
                        detail: string;
                    };
                };
            };
            /** @description Service Unavailable */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        type: string;
                        title: string;
                        status: number;
                        detail: string;
                    };
                };
            };
        };
    };
    websocket_api_v1_earthquakes_ws_get: {
        parameters: {
            query?: {
                /** @description Earliest origin time: ISO 8601 or ms since 1970. */
                starttime?: string | null;
                /** @description Latest origin time. */
                endtime?: string | null;
                minmagnitude?: number | null;
                maxmagnitude?: number | null;
                /** @description km, positive down. */
                mindepth?: number | null;
                /** @description km, positive down. */
                maxdepth?: number | null;
                minlatitude?: number | null;
                maxlatitude?: number | null;
                minlongitude?: number | null;
                maxlongitude?: number | null;
                /** @description Centre of a circle, with `longitude` and a radius. */
                latitude?: number | null;
                longitude?: number | null;
                /** @description km along the surface. */
                minradiuskm?: number | null;
                /** @description km along the surface. */
                maxradiuskm?: number | null;
                /** @description Only `actual`, `exercise` or `test`; all when absent. */
                mode?: ("actual" | "exercise" | "test") | null;
                /** @description Also those that their sources have withdrawn. */
                includedeleted?: boolean;
                /** @description The id of the last message that was received, `<epoch>-<seq>`, or a `seq` of this epoch. */
                since?: string | null;
                /** @description Begin with what was changed then: ISO 8601 or ms since 1970. */
                sinceTime?: string | null;
                /** @description Begin with the earthquakes that match, as they stand. */
                snapshot?: boolean;
            };
            header?: {
                /** @description As `since`; it wins, for a browser that comes back sends both. */
                "Last-Event-ID"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The same messages as JSON text frames */
            101: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Bad Request */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        type: string;
                        title: string;
                        status: number;
                        detail: string;
                    };
                };
            };
            /** @description Upgrade Required */
            426: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        type: string;
                        title: string;
                        status: number;
                        detail: string;
                    };
                };
            };
            /** @description Service Unavailable */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        type: string;
                        title: string;
                        status: number;
                        detail: string;
                    };
                };
            };
        };
    };
    earthquakes_api_v1_earthquakes_get: {
        parameters: {
            query?: {
                /** @description Earliest origin time: ISO 8601 or ms since 1970. */
                starttime?: string | null;
                /** @description Latest origin time. */
                endtime?: string | null;
                minmagnitude?: number | null;
                maxmagnitude?: number | null;
                /** @description km, positive down. */
                mindepth?: number | null;
                /** @description km, positive down. */
                maxdepth?: number | null;
                minlatitude?: number | null;
                maxlatitude?: number | null;
                minlongitude?: number | null;
                maxlongitude?: number | null;
                /** @description Centre of a circle, with `longitude` and a radius. */
                latitude?: number | null;
                longitude?: number | null;
                /** @description km along the surface. */
                minradiuskm?: number | null;
                /** @description km along the surface. */
                maxradiuskm?: number | null;
                /** @description Only `actual`, `exercise` or `test`; all when absent. */
                mode?: ("actual" | "exercise" | "test") | null;
                /** @description Also those that their sources have withdrawn. */
                includedeleted?: boolean;
                limit?: number;
                /** @description `next` of the page before. */
                cursor?: string | null;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["EarthquakeList"];
                };
            };
            /** @description Bad Request */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        type: string;
                        title: string;
                        status: number;
                        detail: string;
                    };
                };
            };
            /** @description Service Unavailable */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        type: string;
                        title: string;
                        status: number;
                        detail: string;
                    };
                };
            };
        };
    };
    count_api_v1_earthquakes_count_get: {
        parameters: {
            query?: {
                /** @description Earliest origin time: ISO 8601 or ms since 1970. */
                starttime?: string | null;
                /** @description Latest origin time. */
                endtime?: string | null;
                minmagnitude?: number | null;
                maxmagnitude?: number | null;
                /** @description km, positive down. */
                mindepth?: number | null;
                /** @description km, positive down. */
                maxdepth?: number | null;
                minlatitude?: number | null;
                maxlatitude?: number | null;
                minlongitude?: number | null;
                maxlongitude?: number | null;
                /** @description Centre of a circle, with `longitude` and a radius. */
                latitude?: number | null;
                longitude?: number | null;
                /** @description km along the surface. */
                minradiuskm?: number | null;
                /** @description km along the surface. */
                maxradiuskm?: number | null;
                /** @description Only `actual`, `exercise` or `test`; all when absent. */
                mode?: ("actual" | "exercise" | "test") | null;
                /** @description Also those that their sources have withdrawn. */
                includedeleted?: boolean;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        [key: string]: number;
                    };
                };
            };
            /** @description Bad Request */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        type: string;
                        title: string;
                        status: number;
                        detail: string;
                    };
                };
            };
            /** @description Service Unavailable */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        type: string;
                        title: string;
                        status: number;
                        detail: string;
                    };
                };
            };
        };
    };
    earthquake_api_v1_earthquakes__name__get: {
        parameters: {
            query?: {
                mode?: ("actual" | "exercise" | "test") | null;
            };
            header?: never;
            path: {
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["EarthquakeDetail"];
                };
            };
            /** @description It is another one now */
            307: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Bad Request */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        type: string;
                        title: string;
                        status: number;
                        detail: string;
                    };
                };
            };
            /** @description Not Found */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        type: string;
                        title: string;
                        status: number;
                        detail: string;
                    };
                };
            };
            /** @description Conflict */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        type: string;
                        title: string;
                        status: number;
                        detail: string;
                    };
                };
            };
            /** @description Service Unavailable */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        type: string;
                        title: string;
                        status: number;
                        detail: string;
                    };
                };
            };
        };
    };
    shaking_api_v1_earthquakes__name__shaking_get: {
        parameters: {
            query: {
                latitude: number;
                longitude: number;
                mode?: ("actual" | "exercise" | "test") | null;
            };
            header?: never;
            path: {
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Shaking"];
                };
            };
            /** @description It is another one now */
            307: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Bad Request */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        type: string;
                        title: string;
                        status: number;
                        detail: string;
                    };
                };
            };
            /** @description Not Found */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        type: string;
                        title: string;
                        status: number;
                        detail: string;
                    };
                };
            };
            /** @description Conflict */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        type: string;
                        title: string;
                        status: number;
                        detail: string;
                    };
                };
            };
            /** @description Service Unavailable */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        type: string;
                        title: string;
                        status: number;
                        detail: string;
                    };
                };
            };
        };
    };
    map_picture_api_v1_earthquakes__name__map_png_get: {
        parameters: {
            query?: {
                mode?: ("actual" | "exercise" | "test") | null;
            };
            header?: never;
            path: {
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "image/png": string;
                };
            };
            /** @description It is another one now */
            307: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Bad Request */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        type: string;
                        title: string;
                        status: number;
                        detail: string;
                    };
                };
            };
            /** @description Not Found */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        type: string;
                        title: string;
                        status: number;
                        detail: string;
                    };
                };
            };
            /** @description Conflict */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        type: string;
                        title: string;
                        status: number;
                        detail: string;
                    };
                };
            };
            /** @description Service Unavailable */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        type: string;
                        title: string;
                        status: number;
                        detail: string;
                    };
                };
            };
        };
    };
    travel_time_curves_api_v1_travel_times_get: {
        parameters: {
            query?: {
                depthkm?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TravelTimes"];
                };
            };
            /** @description Bad Request */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        type: string;
                        title: string;
                        status: number;
                        detail: string;
                    };
                };
            };
        };
    };
    status_api_v1_status_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["StreamStatus"];
                };
            };
            /** @description Service Unavailable */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        type: string;
                        title: string;
                        status: number;
                        detail: string;
                    };
                };
            };
        };
    };
}
