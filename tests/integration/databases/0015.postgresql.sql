CREATE TABLE public.alembic_version (
    version_num character varying(32) NOT NULL
);
CREATE TABLE public.disputes (
    id integer NOT NULL,
    order_id integer NOT NULL,
    payment_intent_id character varying NOT NULL,
    amount integer NOT NULL,
    status character varying NOT NULL,
    reason character varying NOT NULL,
    stripe_dispute_id character varying NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    CONSTRAINT disputes_amount_check CHECK ((amount > 0))
);
CREATE SEQUENCE public.disputes_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.disputes_id_seq OWNED BY public.disputes.id;
CREATE TABLE public.order_items (
    id integer NOT NULL,
    order_id integer NOT NULL,
    product_id integer NOT NULL,
    name character varying NOT NULL,
    unit_amount integer NOT NULL,
    quantity integer NOT NULL,
    CONSTRAINT order_items_quantity_check CHECK ((quantity > 0))
);
CREATE SEQUENCE public.order_items_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.order_items_id_seq OWNED BY public.order_items.id;
CREATE TABLE public.order_log (
    id integer NOT NULL,
    order_id integer NOT NULL,
    at timestamp with time zone NOT NULL,
    source character varying NOT NULL,
    action character varying NOT NULL,
    detail text NOT NULL,
    evidence text DEFAULT ''::text NOT NULL
);
CREATE SEQUENCE public.order_log_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.order_log_id_seq OWNED BY public.order_log.id;
CREATE TABLE public.orders (
    id integer NOT NULL,
    number character varying NOT NULL,
    buyer character varying NOT NULL,
    currency character varying NOT NULL,
    total_amount integer NOT NULL,
    status character varying NOT NULL,
    cart_key character varying NOT NULL,
    attempt integer NOT NULL,
    idempotency_key character varying NOT NULL,
    checkout_parameters text NOT NULL,
    checkout_session_id character varying,
    checkout_url text,
    checkout_expires_at timestamp with time zone NOT NULL,
    session_status character varying NOT NULL,
    payment_status character varying NOT NULL,
    payment_intent_id character varying,
    cancel_requested_at timestamp with time zone,
    review_reason text,
    refunded_amount integer NOT NULL,
    email character varying,
    receipt_url text,
    created_at timestamp with time zone NOT NULL,
    paid_at timestamp with time zone,
    updated_at timestamp with time zone NOT NULL,
    email_folded character varying,
    refund_review_reason text,
    check_failures integer DEFAULT 0 NOT NULL,
    next_check_at timestamp with time zone,
    placed_under character varying,
    CONSTRAINT orders_total_amount_check CHECK ((total_amount > 0))
);
CREATE SEQUENCE public.orders_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.orders_id_seq OWNED BY public.orders.id;
CREATE TABLE public.products (
    id integer NOT NULL,
    slug character varying NOT NULL,
    name character varying NOT NULL,
    description character varying NOT NULL,
    unit_amount integer NOT NULL,
    currency character varying NOT NULL,
    image character varying NOT NULL,
    active boolean NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    "position" integer DEFAULT 0 NOT NULL
);
CREATE SEQUENCE public.products_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.products_id_seq OWNED BY public.products.id;
CREATE TABLE public.refunds (
    id integer NOT NULL,
    order_id integer NOT NULL,
    payment_intent_id character varying NOT NULL,
    amount integer NOT NULL,
    status character varying NOT NULL,
    reason character varying NOT NULL,
    idempotency_key character varying NOT NULL,
    stripe_refund_id character varying,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    attempt integer DEFAULT 1 NOT NULL,
    payment_amount integer,
    next_try_at timestamp with time zone,
    refusal text,
    CONSTRAINT refunds_amount_check CHECK ((amount > 0))
);
CREATE SEQUENCE public.refunds_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.refunds_id_seq OWNED BY public.refunds.id;
CREATE TABLE public.repeats (
    id integer NOT NULL,
    at timestamp with time zone NOT NULL,
    source character varying NOT NULL,
    event_id character varying,
    order_id integer,
    evidence text NOT NULL,
    times integer DEFAULT 1 NOT NULL
);
CREATE SEQUENCE public.repeats_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.repeats_id_seq OWNED BY public.repeats.id;
CREATE TABLE public.shop_marks (
    id integer NOT NULL,
    mark character varying NOT NULL
);
CREATE SEQUENCE public.shop_marks_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.shop_marks_id_seq OWNED BY public.shop_marks.id;
CREATE TABLE public.stripe_events (
    id character varying NOT NULL,
    type character varying NOT NULL,
    created_at timestamp with time zone NOT NULL,
    received_at timestamp with time zone NOT NULL,
    deliveries integer NOT NULL,
    outcome character varying NOT NULL,
    order_id integer,
    next_try_at timestamp with time zone,
    order_number character varying
);
CREATE TABLE public.turns (
    name character varying NOT NULL,
    began_at timestamp with time zone NOT NULL,
    done_until timestamp with time zone,
    holder character varying,
    held_until timestamp with time zone
);
ALTER TABLE ONLY public.disputes ALTER COLUMN id SET DEFAULT nextval('public.disputes_id_seq'::regclass);
ALTER TABLE ONLY public.order_items ALTER COLUMN id SET DEFAULT nextval('public.order_items_id_seq'::regclass);
ALTER TABLE ONLY public.order_log ALTER COLUMN id SET DEFAULT nextval('public.order_log_id_seq'::regclass);
ALTER TABLE ONLY public.orders ALTER COLUMN id SET DEFAULT nextval('public.orders_id_seq'::regclass);
ALTER TABLE ONLY public.products ALTER COLUMN id SET DEFAULT nextval('public.products_id_seq'::regclass);
ALTER TABLE ONLY public.refunds ALTER COLUMN id SET DEFAULT nextval('public.refunds_id_seq'::regclass);
ALTER TABLE ONLY public.repeats ALTER COLUMN id SET DEFAULT nextval('public.repeats_id_seq'::regclass);
ALTER TABLE ONLY public.shop_marks ALTER COLUMN id SET DEFAULT nextval('public.shop_marks_id_seq'::regclass);
INSERT INTO public.alembic_version VALUES
	('0015');
INSERT INTO public.disputes VALUES
	(1, 7, 'pi_31xY2NRoH9cNRRcB2AzvWpya', 3998, 'needs_response', 'fraudulent', 'du_11xY2NRFMhxPQmpsfnqwgys8', '2026-11-30 14:29:09.854411+00', '2026-11-30 14:29:09.85443+00');
INSERT INTO public.order_items VALUES
	(1, 1, 1, 'Red T-Shirt', 1999, 2),
	(2, 2, 2, 'Blue Jeans', 4999, 1),
	(3, 3, 3, 'Sneakers', 7999, 1),
	(4, 4, 1, 'Red T-Shirt', 1999, 1),
	(5, 5, 1, 'Red T-Shirt', 1999, 2),
	(6, 6, 2, 'Blue Jeans', 4999, 1),
	(7, 7, 1, 'Red T-Shirt', 1999, 2),
	(8, 8, 1, 'Red T-Shirt', 1999, 2),
	(9, 9, 1, 'Red T-Shirt', 1999, 2),
	(10, 10, 1, 'Red T-Shirt', 1999, 2),
	(11, 11, 1, 'Red T-Shirt', 1999, 2),
	(12, 12, 1, 'Red T-Shirt', 1999, 2);
INSERT INTO public.order_log VALUES
	(1, 1, '2026-11-30 14:29:08.952039+00', 'buyer', 'placed', 'attempt 1', ''),
	(2, 1, '2026-11-30 14:29:08.986853+00', 'buyer', 'open', 'checkout session id cs_test_a11xY2NQuOZuJbeouy7ZEldo0deUBtgouFG4kK6sHA2Us4FBjgBCDfQ40rY0 · session status open · checkout url known · session created', '{"request": "POST /v1/checkout/sessions", "http_status": 200, "request_id": "req_1xY2NQN2MyhuE5", "idempotency_key": "8c48ddb0ad08afeebb0a4fbbc9ea8fb256cc0f020f159cff8f09ea5bb6739e3e", "replayed": false, "milliseconds": 18}'),
	(3, 1, '2026-11-30 14:29:09.017258+00', 'redirect', 'paid', 'session status complete · payment status paid · payment intent id pi_31xY2NRDfuLD8TrLwt5No3Md · email known · receipt url known · looked up at Stripe', '{"request": "GET /v1/checkout/sessions/cs_test_a11xY2NQuOZuJbeouy7ZEldo0deUBtgouFG4kK6sHA2Us4FBjgBCDfQ40rY0", "http_status": 200, "request_id": "req_1xY2NR6eOamDxi", "idempotency_key": null, "replayed": false, "milliseconds": 11}'),
	(4, 2, '2026-11-30 14:29:09.174502+00', 'buyer', 'placed', 'attempt 1', ''),
	(5, 2, '2026-11-30 14:29:09.19432+00', 'buyer', 'open', 'checkout session id cs_test_a11xY2NRaTyCjKFE6x43DR30sxFZOEuv2Ntc2YO6eWZeJOOOkgUt5IlID5zH · session status open · checkout url known · session created', '{"request": "POST /v1/checkout/sessions", "http_status": 200, "request_id": "req_1xY2NR4NjB0yNw", "idempotency_key": "a4aa3e52664bdfe2afb5ef1b7d13619c076c7e26c96aa577b401c9576f741230", "replayed": false, "milliseconds": 15}'),
	(6, 2, '2026-11-30 14:29:09.206851+00', 'buyer', 'cancel asked', 'asked by the buyer', ''),
	(7, 2, '2026-11-30 14:29:09.2297+00', 'buyer', 'canceled', 'session status expired · expired at Stripe', '{"request": "POST /v1/checkout/sessions/cs_test_a11xY2NRaTyCjKFE6x43DR30sxFZOEuv2Ntc2YO6eWZeJOOOkgUt5IlID5zH/expire", "http_status": 200, "request_id": "req_1xY2NRheQAEMGO", "idempotency_key": "9945e6ab-31f1-3c39-ea18-b08fdcc4a9b1", "replayed": false, "milliseconds": 8}'),
	(8, 3, '2026-11-30 14:29:09.255256+00', 'buyer', 'placed', 'attempt 1', ''),
	(9, 3, '2026-11-30 14:29:09.270319+00', 'buyer', 'open', 'checkout session id cs_test_a11xY2NRk07DKzo1UHw2NIia1F8WbprAeXxmhlBI7XjEinA28sw5gFDMWHxg · session status open · checkout url known · session created', '{"request": "POST /v1/checkout/sessions", "http_status": 200, "request_id": "req_1xY2NRaiqU5wpg", "idempotency_key": "ca2b914721b2f38f71d8e9cff19643f9ebbe3c3c8fc3ce5fd6b6f2bbc6924108", "replayed": false, "milliseconds": 8}'),
	(10, 4, '2026-11-30 14:29:09.278351+00', 'buyer', 'placed', 'attempt 1', ''),
	(11, 5, '2026-11-30 14:29:09.283091+00', 'buyer', 'placed', 'attempt 1', ''),
	(12, 5, '2026-11-30 14:29:09.291267+00', 'buyer', 'open', 'checkout session id cs_test_a11xY2NRmp7TJzlZ4vTRwfa0F0aDSXGD7ueqZ45aG2CqZuFx3I0Osmc3uZdo · session status open · checkout url known · session created', '{"request": "POST /v1/checkout/sessions", "http_status": 200, "request_id": "req_1xY2NRgSt5GhS8", "idempotency_key": "3d23515a1a0b8760ccb1798fff54c42f8e9d14f2f87593546712463ba6839b65", "replayed": false, "milliseconds": 4}'),
	(13, 5, '2026-11-30 14:29:09.307609+00', 'redirect', 'paid', 'session status complete · payment status paid · payment intent id pi_31xY2NRnreqNYBxVsFbnYuJO · email known · receipt url known · looked up at Stripe', '{"request": "GET /v1/checkout/sessions/cs_test_a11xY2NRmp7TJzlZ4vTRwfa0F0aDSXGD7ueqZ45aG2CqZuFx3I0Osmc3uZdo", "http_status": 200, "request_id": "req_1xY2NRoQ5eKiom", "idempotency_key": null, "replayed": false, "milliseconds": 3}'),
	(14, 5, '2026-11-30 14:29:09.315241+00', 'operator', 'refund asked', '$10.00 by Ada', ''),
	(15, 5, '2026-11-30 14:29:09.315533+00', 'operator', 'refund reason', 'Damaged or missing', ''),
	(16, 5, '2026-11-30 14:29:09.326647+00', 'operator', 'partially_refunded', 'refund re_31xY2NR5IeisGka5788B7cLH of $10.00: succeeded · refund created', '{"request": "POST /v1/refunds", "http_status": 200, "request_id": "req_1xY2NRNnABuMab", "idempotency_key": "key-PZLR-QVST-DMB4-Z5HQ", "replayed": false, "milliseconds": 3}'),
	(17, 6, '2026-11-30 14:29:09.401554+00', 'buyer', 'placed', 'attempt 1', ''),
	(18, 6, '2026-11-30 14:29:09.421745+00', 'buyer', 'open', 'checkout session id cs_test_a11xY2NRy6pKIWeQpQ4vubaTE2rEr4NxpjvmoVzfLBXoLhqi52V3vLeFhfMT · session status open · checkout url known · session created', '{"request": "POST /v1/checkout/sessions", "http_status": 200, "request_id": "req_1xY2NRN6KZ1HRO", "idempotency_key": "e363404cace32ccc098ec2f7125fd5746fe8faa811e447c7e0cea688ef00487d", "replayed": false, "milliseconds": 5}'),
	(19, 6, '2026-11-30 14:29:09.433512+00', 'redirect', 'paid', 'session status complete · payment status paid · payment intent id pi_31xY2NRSyosEeP6VGYcezGq7 · email known · receipt url known · looked up at Stripe', '{"request": "GET /v1/checkout/sessions/cs_test_a11xY2NRy6pKIWeQpQ4vubaTE2rEr4NxpjvmoVzfLBXoLhqi52V3vLeFhfMT", "http_status": 200, "request_id": "req_1xY2NROwtTB7Sm", "idempotency_key": null, "replayed": false, "milliseconds": 3}'),
	(20, 6, '2026-11-30 14:29:09.439348+00', 'operator', 'refund asked', '$49.99 by Ada', ''),
	(21, 6, '2026-11-30 14:29:09.439608+00', 'operator', 'refund reason', 'Damaged or missing', ''),
	(22, 6, '2026-11-30 14:29:09.451066+00', 'operator', 'refunded', 'refund re_31xY2NRR1EvSviPqY2gexFBa of $49.99: succeeded · refund created', '{"request": "POST /v1/refunds", "http_status": 200, "request_id": "req_1xY2NRqQy0wws2", "idempotency_key": "key-VCGR-2HXF-YQFF-6CGG", "replayed": false, "milliseconds": 6}'),
	(23, 7, '2026-11-30 14:29:09.616538+00', 'buyer', 'placed', 'attempt 1', ''),
	(24, 7, '2026-11-30 14:29:09.643916+00', 'buyer', 'open', 'checkout session id cs_test_a11xY2NRMP4y56rCYfOd15oo4zkLQj1fkeGnFPPTpyI9bv7AiufBKwaQcFUd · session status open · checkout url known · session created', '{"request": "POST /v1/checkout/sessions", "http_status": 200, "request_id": "req_1xY2NR2oNvgA8e", "idempotency_key": "879ead48f4af7b708fc76a2cd5a04d52ba7c88abf54a0b390ad63a32999ca904", "replayed": false, "milliseconds": 17}'),
	(25, 7, '2026-11-30 14:29:09.734557+00', 'redirect', 'paid', 'session status complete · payment status paid · payment intent id pi_31xY2NRoH9cNRRcB2AzvWpya · email known · receipt url known · looked up at Stripe', '{"request": "GET /v1/checkout/sessions/cs_test_a11xY2NRMP4y56rCYfOd15oo4zkLQj1fkeGnFPPTpyI9bv7AiufBKwaQcFUd", "http_status": 200, "request_id": "req_1xY2NR2E4vcaf7", "idempotency_key": null, "replayed": false, "milliseconds": 21}'),
	(26, 7, '2026-11-30 14:29:09.853016+00', 'webhook', 'disputed', 'dispute du_11xY2NRFMhxPQmpsfnqwgys8 of $39.98: needs_response · evt_11xY2NREEevBeOrmVO6aqtVi', '{"event_id":"evt_11xY2NREEevBeOrmVO6aqtVi"}'),
	(27, 8, '2026-11-30 14:29:09.905574+00', 'buyer', 'placed', 'attempt 1', ''),
	(28, 8, '2026-11-30 14:29:09.926897+00', 'buyer', 'open', 'checkout session id cs_test_a11xY2NR206Twu15U9WrszDvASxv4Uu8dirZyoYUAn49gfG17QF101kXEKHy · session status open · checkout url known · session created', '{"request": "POST /v1/checkout/sessions", "http_status": 200, "request_id": "req_1xY2NR9zMvuxPl", "idempotency_key": "c3ba5679c9e0cd53f590e623005f497c60972ba8a6d755d799b9c00668ea01e5", "replayed": false, "milliseconds": 9}'),
	(29, 8, '2026-11-30 14:29:10.018519+00', 'webhook', 'processing', 'session status complete · payment intent id pi_31xY2NRezIigfcTMydG7hj7W · email known · evt_11xY2NR4m4LHAi7TvSWi1Guz', '{"event_id":"evt_11xY2NR4m4LHAi7TvSWi1Guz"}'),
	(30, 9, '2026-11-30 14:29:10.034503+00', 'buyer', 'placed', 'attempt 1', ''),
	(31, 9, '2026-11-30 14:29:10.041397+00', 'buyer', 'open', 'checkout session id cs_test_a11xY2NS8vfZa0WTDeN7nwkrfKDaLNUDezq0tbhBV9G11zZhyuVFj96bLIva · session status open · checkout url known · session created', '{"request": "POST /v1/checkout/sessions", "http_status": 200, "request_id": "req_1xY2NSQeGaDW1d", "idempotency_key": "bbacf8d10c1b4510c83c0cfb64b19f6d86edb225b4f2846517fd9b7e31ac0820", "replayed": false, "milliseconds": 4}'),
	(32, 9, '2026-11-30 14:29:10.102605+00', 'webhook', 'processing', 'session status complete · payment intent id pi_31xY2NSkztlwy9sQqUkaJSv4 · email known · evt_11xY2NSi6FArbW1O0mZ0RJsv', '{"event_id":"evt_11xY2NSi6FArbW1O0mZ0RJsv"}'),
	(33, 9, '2026-11-30 14:29:10.106951+00', 'webhook', 'attempt failed', 'The customer''s account has insufficient funds to cover this payment. · evt_11xY2NSZFO3IijUl7r2tt43U', '{"event_id":"evt_11xY2NSZFO3IijUl7r2tt43U","attempt":"ch_31xY2NSWsmV6yyt2611XPA2O","code":"insufficient_funds","decline_code":"insufficient_funds","card":null}'),
	(34, 9, '2026-11-30 14:29:10.162273+00', 'webhook', 'failed', 'payment status failed · evt_11xY2NSmihQ0b9pnGDYWq2bC', '{"event_id":"evt_11xY2NSmihQ0b9pnGDYWq2bC"}'),
	(35, 10, '2026-11-30 14:29:10.178855+00', 'buyer', 'placed', 'attempt 1', ''),
	(36, 10, '2026-11-30 14:29:10.210792+00', 'buyer', 'open', 'checkout session id cs_test_a11xY2NSp7TESUnAFpWsOPhIO8ViNLuFh9DkbZwN4DUpWVPHOh6RPdfYaJ6v · session status open · checkout url known · session created', '{"request": "POST /v1/checkout/sessions", "http_status": 200, "request_id": "req_1xY2NS5mOzFRtt", "idempotency_key": "72480e85a90584592493dcb740422bcddf484de2ef6c5a1881a16180a58d3d15", "replayed": false, "milliseconds": 27}'),
	(37, 10, '2026-11-30 14:29:10.238588+00', 'redirect', 'paid', 'session status complete · payment status paid · payment intent id pi_31xY2NSdMhnKrem3hgHGt2zD · email known · receipt url known · looked up at Stripe', '{"request": "GET /v1/checkout/sessions/cs_test_a11xY2NSp7TESUnAFpWsOPhIO8ViNLuFh9DkbZwN4DUpWVPHOh6RPdfYaJ6v", "http_status": 200, "request_id": "req_1xY2NS9AQk0RUH", "idempotency_key": null, "replayed": false, "milliseconds": 5}'),
	(38, 10, '2026-11-30 14:29:10.358983+00', 'webhook', 'noted', 'second payment pi_31xY2NSxWNtazGFmTfMcEwRw by cs_test_a11xY2NSyjkTB4T70Q587MdgbhOT8FKaZ2PBtjY4IOCp2eamYkHKRHld0I0A: to be refunded · the event says: a second payment; Stripe was asked · evt_11xY2NSYh3ac9mwA6jlSYbTJ', '{"event_id":"evt_11xY2NSYh3ac9mwA6jlSYbTJ"}'),
	(39, 11, '2026-11-30 14:29:10.438773+00', 'buyer', 'placed', 'attempt 1', ''),
	(40, 11, '2026-11-30 14:29:10.460824+00', 'buyer', 'open', 'checkout session id cs_test_a11xY2NSXew2q5f3WTbczdV7vLNQZk5vzD66180c4tqt3h3NHcX3MqqAa36R · session status open · checkout url known · session created', '{"request": "POST /v1/checkout/sessions", "http_status": 200, "request_id": "req_1xY2NSGoZdgn8Q", "idempotency_key": "ad3fb5363d052ac1f37de5fefcf1802900882c71338b461250a5f56e39a6a4dc", "replayed": false, "milliseconds": 11}'),
	(41, 11, '2026-11-30 14:29:10.55896+00', 'webhook', 'expired', 'session status expired · evt_11xY2NSXaCkqk1Qc8JdbNC16', '{"event_id":"evt_11xY2NSXaCkqk1Qc8JdbNC16"}'),
	(42, 12, '2026-11-30 14:29:10.57719+00', 'buyer', 'placed', 'attempt 1', ''),
	(43, 12, '2026-11-30 14:29:10.585492+00', 'buyer', 'open', 'checkout session id cs_test_a11xY2NSetRAtL6kzZDmJ2rz00W2QD6RIxJC82kUmPE3dKYW5DjSelfwqchp · session status open · checkout url known · session created', '{"request": "POST /v1/checkout/sessions", "http_status": 200, "request_id": "req_1xY2NSEkwrkAtk", "idempotency_key": "b3764123bbc46452b935b802e09e67f728b2dac10de5a18297511e24fe9d6f6e", "replayed": false, "milliseconds": 5}'),
	(44, 12, '2026-11-30 14:29:10.719412+00', 'webhook', 'review', 'review reason amount $39.98 instead of $40.00 · the event says: amount $39.98 instead of $40.00; Stripe was asked · evt_11xY2NSMcHd69VsPsMoebM8S', '{"event_id":"evt_11xY2NSMcHd69VsPsMoebM8S"}');
INSERT INTO public.orders VALUES
	(1, '3LD8-953P-6CNB-8ZXC', 'b824308e231c0379e1cfd0dbb366acb9955ed93b58a703f865375c488fb17a9d', 'usd', 3998, 'paid', 'a93ff43f621fce58398b06890203f8535c4fc96306cd65adfc9e61a09f9f8093', 1, '8c48ddb0ad08afeebb0a4fbbc9ea8fb256cc0f020f159cff8f09ea5bb6739e3e', '{"mode": "payment", "line_items": [{"quantity": 2, "price_data": {"currency": "usd", "unit_amount": 1999, "product_data": {"name": "Red T-Shirt", "description": "Heavy organic cotton, cut straight and washed soft.", "images": ["http://127.0.0.1:9/images/red-t-shirt.svg"]}}}], "client_reference_id": "3LD8-953P-6CNB-8ZXC", "metadata": {"order_number": "3LD8-953P-6CNB-8ZXC", "shop": "shop_2c57d754856acc07"}, "payment_intent_data": {"metadata": {"order_number": "3LD8-953P-6CNB-8ZXC"}}, "success_url": "http://127.0.0.1:9/order?number=3LD8-953P-6CNB-8ZXC&session_id={CHECKOUT_SESSION_ID}", "cancel_url": "http://127.0.0.1:9/?resume=3LD8-953P-6CNB-8ZXC", "expires_at": 1796052548}', 'cs_test_a11xY2NQuOZuJbeouy7ZEldo0deUBtgouFG4kK6sHA2Us4FBjgBCDfQ40rY0', 'http://127.0.0.1:17750/c/pay/cs_test_a11xY2NQuOZuJbeouy7ZEldo0deUBtgouFG4kK6sHA2Us4FBjgBCDfQ40rY0', '2026-11-30 15:29:08+00', 'complete', 'paid', 'pi_31xY2NRDfuLD8TrLwt5No3Md', NULL, NULL, 0, 'ada@example.com', 'http://127.0.0.1:17750/emulator/receipts/ch_31xY2NR2oVsQ4BI8DctACyMw', '2026-11-30 14:29:08.947664+00', '2026-11-30 14:29:09.017258+00', '2026-11-30 14:29:09.017258+00', 'ada@example.com', NULL, 0, NULL, '355309b9379fff48'),
	(6, 'VCGR-2HXF-YQFF-6CGG', 'da511112fd5cf20702953ca8cd227f63215c0d6625104909859bd4136f7734f3', 'usd', 4999, 'refunded', 'f494b97baf0d5339ef627fb4ac39e6501843835172e3a014383fa94f26fe94b7', 1, 'e363404cace32ccc098ec2f7125fd5746fe8faa811e447c7e0cea688ef00487d', '{"mode": "payment", "line_items": [{"quantity": 1, "price_data": {"currency": "usd", "unit_amount": 4999, "product_data": {"name": "Blue Jeans", "description": "Mid-rise, straight leg, in rinsed indigo denim.", "images": ["http://127.0.0.1:9/images/blue-jeans.svg"]}}}], "client_reference_id": "VCGR-2HXF-YQFF-6CGG", "metadata": {"order_number": "VCGR-2HXF-YQFF-6CGG", "shop": "shop_2c57d754856acc07"}, "payment_intent_data": {"metadata": {"order_number": "VCGR-2HXF-YQFF-6CGG"}}, "success_url": "http://127.0.0.1:9/order?number=VCGR-2HXF-YQFF-6CGG&session_id={CHECKOUT_SESSION_ID}", "cancel_url": "http://127.0.0.1:9/?resume=VCGR-2HXF-YQFF-6CGG", "expires_at": 1796052549}', 'cs_test_a11xY2NRy6pKIWeQpQ4vubaTE2rEr4NxpjvmoVzfLBXoLhqi52V3vLeFhfMT', 'http://127.0.0.1:17750/c/pay/cs_test_a11xY2NRy6pKIWeQpQ4vubaTE2rEr4NxpjvmoVzfLBXoLhqi52V3vLeFhfMT', '2026-11-30 15:29:09+00', 'complete', 'paid', 'pi_31xY2NRSyosEeP6VGYcezGq7', NULL, NULL, 4999, 'ada@example.com', 'http://127.0.0.1:17750/emulator/receipts/ch_31xY2NRBupIAQEjolXyVNJGU', '2026-11-30 14:29:09.39861+00', '2026-11-30 14:29:09.433512+00', '2026-11-30 14:29:09.451066+00', 'ada@example.com', NULL, 0, NULL, '355309b9379fff48'),
	(7, 'MZMV-M35X-PWKW-982M', '064419f7bd61d4c95c34056c4e3e94caa4b3589726de4f63160b3a5ffdfb46ee', 'usd', 3998, 'disputed', 'f1f1184195f65c9c023a554219993ed3d37e3eb92a5c2f66f1f676f9bce09ea5', 1, '879ead48f4af7b708fc76a2cd5a04d52ba7c88abf54a0b390ad63a32999ca904', '{"mode": "payment", "line_items": [{"quantity": 2, "price_data": {"currency": "usd", "unit_amount": 1999, "product_data": {"name": "Red T-Shirt", "description": "Heavy organic cotton, cut straight and washed soft.", "images": ["http://127.0.0.1:9/images/red-t-shirt.svg"]}}}], "client_reference_id": "MZMV-M35X-PWKW-982M", "metadata": {"order_number": "MZMV-M35X-PWKW-982M", "shop": "shop_2c57d754856acc07"}, "payment_intent_data": {"metadata": {"order_number": "MZMV-M35X-PWKW-982M"}}, "success_url": "http://127.0.0.1:9/order?number=MZMV-M35X-PWKW-982M&session_id={CHECKOUT_SESSION_ID}", "cancel_url": "http://127.0.0.1:9/?resume=MZMV-M35X-PWKW-982M", "expires_at": 1796052549}', 'cs_test_a11xY2NRMP4y56rCYfOd15oo4zkLQj1fkeGnFPPTpyI9bv7AiufBKwaQcFUd', 'http://127.0.0.1:17750/c/pay/cs_test_a11xY2NRMP4y56rCYfOd15oo4zkLQj1fkeGnFPPTpyI9bv7AiufBKwaQcFUd', '2026-11-30 15:29:09+00', 'complete', 'paid', 'pi_31xY2NRoH9cNRRcB2AzvWpya', NULL, NULL, 0, 'ada@example.com', 'http://127.0.0.1:17750/emulator/receipts/ch_31xY2NR3J3zVUF5AslpdohOP', '2026-11-30 14:29:09.611033+00', '2026-11-30 14:29:09.734557+00', '2026-11-30 14:29:09.853016+00', 'ada@example.com', NULL, 0, NULL, '355309b9379fff48'),
	(8, '7K8S-N4PT-4G6N-LL8M', '6c77ac2bb4a0e65935b8283b36c96efe2c511560541c96cc2ca4ec846313db20', 'usd', 3998, 'processing', '0d14e83250b6799da10387cde08f06ac7973e25ce3e4e291298c3cbae948458e', 1, 'c3ba5679c9e0cd53f590e623005f497c60972ba8a6d755d799b9c00668ea01e5', '{"mode": "payment", "line_items": [{"quantity": 2, "price_data": {"currency": "usd", "unit_amount": 1999, "product_data": {"name": "Red T-Shirt", "description": "Heavy organic cotton, cut straight and washed soft.", "images": ["http://127.0.0.1:9/images/red-t-shirt.svg"]}}}], "client_reference_id": "7K8S-N4PT-4G6N-LL8M", "metadata": {"order_number": "7K8S-N4PT-4G6N-LL8M", "shop": "shop_2c57d754856acc07"}, "payment_intent_data": {"metadata": {"order_number": "7K8S-N4PT-4G6N-LL8M"}}, "success_url": "http://127.0.0.1:9/order?number=7K8S-N4PT-4G6N-LL8M&session_id={CHECKOUT_SESSION_ID}", "cancel_url": "http://127.0.0.1:9/?resume=7K8S-N4PT-4G6N-LL8M", "expires_at": 1796052549}', 'cs_test_a11xY2NR206Twu15U9WrszDvASxv4Uu8dirZyoYUAn49gfG17QF101kXEKHy', 'http://127.0.0.1:17750/c/pay/cs_test_a11xY2NR206Twu15U9WrszDvASxv4Uu8dirZyoYUAn49gfG17QF101kXEKHy', '2026-11-30 15:29:09+00', 'complete', 'unpaid', 'pi_31xY2NRezIigfcTMydG7hj7W', NULL, NULL, 0, 'ada@example.com', NULL, '2026-11-30 14:29:09.903361+00', NULL, '2026-11-30 14:29:10.018519+00', 'ada@example.com', NULL, 0, NULL, '355309b9379fff48'),
	(9, 'D24Z-GXKK-M3TW-LB3P', '44f1d95aea6c53ea1c9d4421ce7ca8a9a2d271328bc74f80dc34fb7ec855ee30', 'usd', 3998, 'failed', '5305ee0070eff54d7333fabe1e5422ed2d35ddeb7053b08f86836fbd23442018', 1, 'bbacf8d10c1b4510c83c0cfb64b19f6d86edb225b4f2846517fd9b7e31ac0820', '{"mode": "payment", "line_items": [{"quantity": 2, "price_data": {"currency": "usd", "unit_amount": 1999, "product_data": {"name": "Red T-Shirt", "description": "Heavy organic cotton, cut straight and washed soft.", "images": ["http://127.0.0.1:9/images/red-t-shirt.svg"]}}}], "client_reference_id": "D24Z-GXKK-M3TW-LB3P", "metadata": {"order_number": "D24Z-GXKK-M3TW-LB3P", "shop": "shop_2c57d754856acc07"}, "payment_intent_data": {"metadata": {"order_number": "D24Z-GXKK-M3TW-LB3P"}}, "success_url": "http://127.0.0.1:9/order?number=D24Z-GXKK-M3TW-LB3P&session_id={CHECKOUT_SESSION_ID}", "cancel_url": "http://127.0.0.1:9/?resume=D24Z-GXKK-M3TW-LB3P", "expires_at": 1796052550}', 'cs_test_a11xY2NS8vfZa0WTDeN7nwkrfKDaLNUDezq0tbhBV9G11zZhyuVFj96bLIva', 'http://127.0.0.1:17750/c/pay/cs_test_a11xY2NS8vfZa0WTDeN7nwkrfKDaLNUDezq0tbhBV9G11zZhyuVFj96bLIva', '2026-11-30 15:29:10+00', 'complete', 'failed', 'pi_31xY2NSkztlwy9sQqUkaJSv4', NULL, NULL, 0, 'ada@example.com', NULL, '2026-11-30 14:29:10.032281+00', NULL, '2026-11-30 14:29:10.162273+00', 'ada@example.com', NULL, 0, NULL, '355309b9379fff48'),
	(2, '9J7R-CRMR-DHNC-9FMF', 'b824308e231c0379e1cfd0dbb366acb9955ed93b58a703f865375c488fb17a9d', 'usd', 4999, 'canceled', 'a2bd38e984d94e28f8cc7283dde283d7972e09aa90ae70e8656697c13e647f5f', 1, 'a4aa3e52664bdfe2afb5ef1b7d13619c076c7e26c96aa577b401c9576f741230', '{"mode": "payment", "line_items": [{"quantity": 1, "price_data": {"currency": "usd", "unit_amount": 4999, "product_data": {"name": "Blue Jeans", "description": "Mid-rise, straight leg, in rinsed indigo denim.", "images": ["http://127.0.0.1:9/images/blue-jeans.svg"]}}}], "client_reference_id": "9J7R-CRMR-DHNC-9FMF", "metadata": {"order_number": "9J7R-CRMR-DHNC-9FMF", "shop": "shop_2c57d754856acc07"}, "payment_intent_data": {"metadata": {"order_number": "9J7R-CRMR-DHNC-9FMF"}}, "success_url": "http://127.0.0.1:9/order?number=9J7R-CRMR-DHNC-9FMF&session_id={CHECKOUT_SESSION_ID}", "cancel_url": "http://127.0.0.1:9/?resume=9J7R-CRMR-DHNC-9FMF", "expires_at": 1796052549}', 'cs_test_a11xY2NRaTyCjKFE6x43DR30sxFZOEuv2Ntc2YO6eWZeJOOOkgUt5IlID5zH', 'http://127.0.0.1:17750/c/pay/cs_test_a11xY2NRaTyCjKFE6x43DR30sxFZOEuv2Ntc2YO6eWZeJOOOkgUt5IlID5zH', '2026-11-30 15:29:09+00', 'expired', 'unpaid', NULL, '2026-11-30 14:29:09.206809+00', NULL, 0, NULL, NULL, '2026-11-30 14:29:09.155583+00', NULL, '2026-11-30 14:29:09.2297+00', NULL, NULL, 0, NULL, '355309b9379fff48'),
	(3, 'LQKH-GPQ3-KGY7-CX28', 'b824308e231c0379e1cfd0dbb366acb9955ed93b58a703f865375c488fb17a9d', 'usd', 7999, 'open', '85b242a1dfed04026980ab5c9919973ca9c35466dd5cd8295005419f436f6ae3', 1, 'ca2b914721b2f38f71d8e9cff19643f9ebbe3c3c8fc3ce5fd6b6f2bbc6924108', '{"mode": "payment", "line_items": [{"quantity": 1, "price_data": {"currency": "usd", "unit_amount": 7999, "product_data": {"name": "Sneakers", "description": "Low-top canvas on a gum sole, light on the foot.", "images": ["http://127.0.0.1:9/images/sneakers.svg"]}}}], "client_reference_id": "LQKH-GPQ3-KGY7-CX28", "metadata": {"order_number": "LQKH-GPQ3-KGY7-CX28", "shop": "shop_2c57d754856acc07"}, "payment_intent_data": {"metadata": {"order_number": "LQKH-GPQ3-KGY7-CX28"}}, "success_url": "http://127.0.0.1:9/order?number=LQKH-GPQ3-KGY7-CX28&session_id={CHECKOUT_SESSION_ID}", "cancel_url": "http://127.0.0.1:9/?resume=LQKH-GPQ3-KGY7-CX28", "expires_at": 1796052549}', 'cs_test_a11xY2NRk07DKzo1UHw2NIia1F8WbprAeXxmhlBI7XjEinA28sw5gFDMWHxg', 'http://127.0.0.1:17750/c/pay/cs_test_a11xY2NRk07DKzo1UHw2NIia1F8WbprAeXxmhlBI7XjEinA28sw5gFDMWHxg', '2026-11-30 15:29:09+00', 'open', 'unpaid', NULL, NULL, NULL, 0, NULL, NULL, '2026-11-30 14:29:09.248645+00', NULL, '2026-11-30 14:29:09.270319+00', NULL, NULL, 0, NULL, '355309b9379fff48'),
	(4, 'QVWX-C83F-9Z34-G6TJ', '9876710b0bdb61685f57016b897e840512e3b0554eacea56a06cb9d67b9a1dd8', 'usd', 1999, 'pending', '6017db8a3653bb01ff3ba228f772a7018ad6dd66073b81158f1ad6191e724f4d', 1, '94c26f24a63c60190ef13037b3df09495406c190d24216f166cac8bb6cbc0c38', '{"mode": "payment", "line_items": [{"quantity": 1, "price_data": {"currency": "usd", "unit_amount": 1999, "product_data": {"name": "Red T-Shirt", "description": "Heavy organic cotton, cut straight and washed soft.", "images": ["http://127.0.0.1:9/images/red-t-shirt.svg"]}}}], "client_reference_id": "QVWX-C83F-9Z34-G6TJ", "metadata": {"order_number": "QVWX-C83F-9Z34-G6TJ", "shop": "shop_2c57d754856acc07"}, "payment_intent_data": {"metadata": {"order_number": "QVWX-C83F-9Z34-G6TJ"}}, "success_url": "http://127.0.0.1:9/order?number=QVWX-C83F-9Z34-G6TJ&session_id={CHECKOUT_SESSION_ID}", "cancel_url": "http://127.0.0.1:9/?resume=QVWX-C83F-9Z34-G6TJ", "expires_at": 1796052549}', NULL, NULL, '2026-11-30 15:29:09+00', 'none', 'unpaid', NULL, NULL, NULL, 0, NULL, NULL, '2026-11-30 14:29:09.276838+00', NULL, '2026-11-30 14:29:09.276851+00', NULL, NULL, 0, NULL, '355309b9379fff48'),
	(5, 'PZLR-QVST-DMB4-Z5HQ', 'ed0633058f7a2bfd5c752dc5f840dac244e5d1254ff18d8deb889d0a6e6984f0', 'usd', 3998, 'partially_refunded', 'd929a293284d061ebfc8593a826f75c81ff68bd0992b7bf6407471fad521b59e', 1, '3d23515a1a0b8760ccb1798fff54c42f8e9d14f2f87593546712463ba6839b65', '{"mode": "payment", "line_items": [{"quantity": 2, "price_data": {"currency": "usd", "unit_amount": 1999, "product_data": {"name": "Red T-Shirt", "description": "Heavy organic cotton, cut straight and washed soft.", "images": ["http://127.0.0.1:9/images/red-t-shirt.svg"]}}}], "client_reference_id": "PZLR-QVST-DMB4-Z5HQ", "metadata": {"order_number": "PZLR-QVST-DMB4-Z5HQ", "shop": "shop_2c57d754856acc07"}, "payment_intent_data": {"metadata": {"order_number": "PZLR-QVST-DMB4-Z5HQ"}}, "success_url": "http://127.0.0.1:9/order?number=PZLR-QVST-DMB4-Z5HQ&session_id={CHECKOUT_SESSION_ID}", "cancel_url": "http://127.0.0.1:9/?resume=PZLR-QVST-DMB4-Z5HQ", "expires_at": 1796052549}', 'cs_test_a11xY2NRmp7TJzlZ4vTRwfa0F0aDSXGD7ueqZ45aG2CqZuFx3I0Osmc3uZdo', 'http://127.0.0.1:17750/c/pay/cs_test_a11xY2NRmp7TJzlZ4vTRwfa0F0aDSXGD7ueqZ45aG2CqZuFx3I0Osmc3uZdo', '2026-11-30 15:29:09+00', 'complete', 'paid', 'pi_31xY2NRnreqNYBxVsFbnYuJO', NULL, NULL, 1000, 'ada@example.com', 'http://127.0.0.1:17750/emulator/receipts/ch_31xY2NRTlJIHvvkMH0q6pkZY', '2026-11-30 14:29:09.281882+00', '2026-11-30 14:29:09.307609+00', '2026-11-30 14:29:09.326647+00', 'ada@example.com', NULL, 0, NULL, '355309b9379fff48'),
	(10, '33B8-BXSW-7W4C-G784', 'd574d1ebeda31a7176803738d3a8babfd82f14c322fb3e54667a23e3bb575972', 'usd', 3998, 'paid', 'b3d99596d4b784df1fbc942bceb156c2bc60f84b31b12f87227cca2552096812', 1, '72480e85a90584592493dcb740422bcddf484de2ef6c5a1881a16180a58d3d15', '{"mode": "payment", "line_items": [{"quantity": 2, "price_data": {"currency": "usd", "unit_amount": 1999, "product_data": {"name": "Red T-Shirt", "description": "Heavy organic cotton, cut straight and washed soft.", "images": ["http://127.0.0.1:9/images/red-t-shirt.svg"]}}}], "client_reference_id": "33B8-BXSW-7W4C-G784", "metadata": {"order_number": "33B8-BXSW-7W4C-G784", "shop": "shop_2c57d754856acc07"}, "payment_intent_data": {"metadata": {"order_number": "33B8-BXSW-7W4C-G784"}}, "success_url": "http://127.0.0.1:9/order?number=33B8-BXSW-7W4C-G784&session_id={CHECKOUT_SESSION_ID}", "cancel_url": "http://127.0.0.1:9/?resume=33B8-BXSW-7W4C-G784", "expires_at": 1796052550}', 'cs_test_a11xY2NSp7TESUnAFpWsOPhIO8ViNLuFh9DkbZwN4DUpWVPHOh6RPdfYaJ6v', 'http://127.0.0.1:17750/c/pay/cs_test_a11xY2NSp7TESUnAFpWsOPhIO8ViNLuFh9DkbZwN4DUpWVPHOh6RPdfYaJ6v', '2026-11-30 15:29:10+00', 'complete', 'paid', 'pi_31xY2NSdMhnKrem3hgHGt2zD', NULL, NULL, 0, 'ada@example.com', 'http://127.0.0.1:17750/emulator/receipts/ch_31xY2NSyackT80tpXkpHpK7z', '2026-11-30 14:29:10.175972+00', '2026-11-30 14:29:10.238588+00', '2026-11-30 14:29:10.238588+00', 'ada@example.com', NULL, 0, NULL, '355309b9379fff48'),
	(11, '9P9M-3RCG-Z6QV-P6WG', 'e4accb4d5e8dea7f4dffb92463667b26395d15bfb72247d8123110ee2cbc91d2', 'usd', 3998, 'expired', '9c426389c77ea93fd127c518e1a2043b44a546cdc1a8ae7b6e77675b9d4b24dc', 1, 'ad3fb5363d052ac1f37de5fefcf1802900882c71338b461250a5f56e39a6a4dc', '{"mode": "payment", "line_items": [{"quantity": 2, "price_data": {"currency": "usd", "unit_amount": 1999, "product_data": {"name": "Red T-Shirt", "description": "Heavy organic cotton, cut straight and washed soft.", "images": ["http://127.0.0.1:9/images/red-t-shirt.svg"]}}}], "client_reference_id": "9P9M-3RCG-Z6QV-P6WG", "metadata": {"order_number": "9P9M-3RCG-Z6QV-P6WG", "shop": "shop_2c57d754856acc07"}, "payment_intent_data": {"metadata": {"order_number": "9P9M-3RCG-Z6QV-P6WG"}}, "success_url": "http://127.0.0.1:9/order?number=9P9M-3RCG-Z6QV-P6WG&session_id={CHECKOUT_SESSION_ID}", "cancel_url": "http://127.0.0.1:9/?resume=9P9M-3RCG-Z6QV-P6WG", "expires_at": 1796052550}', 'cs_test_a11xY2NSXew2q5f3WTbczdV7vLNQZk5vzD66180c4tqt3h3NHcX3MqqAa36R', 'http://127.0.0.1:17750/c/pay/cs_test_a11xY2NSXew2q5f3WTbczdV7vLNQZk5vzD66180c4tqt3h3NHcX3MqqAa36R', '2026-11-30 15:29:10+00', 'expired', 'unpaid', NULL, NULL, NULL, 0, NULL, NULL, '2026-11-30 14:29:10.429055+00', NULL, '2026-11-30 14:29:10.55896+00', NULL, NULL, 0, NULL, '355309b9379fff48'),
	(12, 'N9QM-CM7X-2B8H-CJV4', '0344930305cab6c97777f59267691e632bceeac04a27ad43376c5e941bd84c9c', 'usd', 4000, 'review', '1993a41f26d3f8a2c70a70d3c52359e7322bc79375bd5136788f0b39c308fa8b', 1, 'b3764123bbc46452b935b802e09e67f728b2dac10de5a18297511e24fe9d6f6e', '{"mode": "payment", "line_items": [{"quantity": 2, "price_data": {"currency": "usd", "unit_amount": 1999, "product_data": {"name": "Red T-Shirt", "description": "Heavy organic cotton, cut straight and washed soft.", "images": ["http://127.0.0.1:9/images/red-t-shirt.svg"]}}}], "client_reference_id": "N9QM-CM7X-2B8H-CJV4", "metadata": {"order_number": "N9QM-CM7X-2B8H-CJV4", "shop": "shop_2c57d754856acc07"}, "payment_intent_data": {"metadata": {"order_number": "N9QM-CM7X-2B8H-CJV4"}}, "success_url": "http://127.0.0.1:9/order?number=N9QM-CM7X-2B8H-CJV4&session_id={CHECKOUT_SESSION_ID}", "cancel_url": "http://127.0.0.1:9/?resume=N9QM-CM7X-2B8H-CJV4", "expires_at": 1796052550}', 'cs_test_a11xY2NSetRAtL6kzZDmJ2rz00W2QD6RIxJC82kUmPE3dKYW5DjSelfwqchp', 'http://127.0.0.1:17750/c/pay/cs_test_a11xY2NSetRAtL6kzZDmJ2rz00W2QD6RIxJC82kUmPE3dKYW5DjSelfwqchp', '2026-11-30 15:29:10+00', 'open', 'unpaid', NULL, NULL, 'amount $39.98 instead of $40.00', 0, NULL, NULL, '2026-11-30 14:29:10.574739+00', NULL, '2026-11-30 14:29:10.719412+00', NULL, NULL, 0, NULL, '355309b9379fff48');
INSERT INTO public.products VALUES
	(1, 'red-t-shirt', 'Red T-Shirt', 'Heavy organic cotton, cut straight and washed soft.', 1999, 'usd', 'red-t-shirt.svg', true, '2026-11-30 14:29:08.806491+00', 0),
	(2, 'blue-jeans', 'Blue Jeans', 'Mid-rise, straight leg, in rinsed indigo denim.', 4999, 'usd', 'blue-jeans.svg', true, '2026-11-30 14:29:08.806545+00', 0),
	(3, 'sneakers', 'Sneakers', 'Low-top canvas on a gum sole, light on the foot.', 7999, 'usd', 'sneakers.svg', true, '2026-11-30 14:29:08.806584+00', 0);
INSERT INTO public.refunds VALUES
	(1, 5, 'pi_31xY2NRnreqNYBxVsFbnYuJO', 1000, 'succeeded', 'requested_by_customer', 'key-PZLR-QVST-DMB4-Z5HQ', 're_31xY2NR5IeisGka5788B7cLH', '2026-11-30 14:29:09.314927+00', '2026-11-30 14:29:09.33873+00', 1, NULL, NULL, NULL),
	(2, 6, 'pi_31xY2NRSyosEeP6VGYcezGq7', 4999, 'succeeded', 'requested_by_customer', 'key-VCGR-2HXF-YQFF-6CGG', 're_31xY2NRR1EvSviPqY2gexFBa', '2026-11-30 14:29:09.439055+00', '2026-11-30 14:29:09.454729+00', 1, NULL, NULL, NULL),
	(3, 10, 'pi_31xY2NSxWNtazGFmTfMcEwRw', 3998, 'requested', 'duplicate', 'second-payment-pi_31xY2NSxWNtazGFmTfMcEwRw', NULL, '2026-11-30 14:29:10.360253+00', '2026-11-30 14:29:10.360265+00', 1, 3998, NULL, NULL);
INSERT INTO public.repeats VALUES
	(1, '2026-11-30 14:29:09.086749+00', 'webhook', 'evt_11xY2NR9PM5fD0fMtMtO4SpK', NULL, '', 1),
	(2, '2026-11-30 14:29:09.109144+00', 'webhook', 'evt_11xY2NR9PM5fD0fMtMtO4SpK', NULL, '', 1),
	(3, '2026-11-30 14:29:09.148164+00', 'redirect', NULL, 1, '{"request": "GET /v1/checkout/sessions/cs_test_a11xY2NQuOZuJbeouy7ZEldo0deUBtgouFG4kK6sHA2Us4FBjgBCDfQ40rY0", "http_status": 200, "request_id": "req_1xY2NRLXk620LZ", "idempotency_key": null, "replayed": false, "milliseconds": 5}', 1);
INSERT INTO public.shop_marks VALUES
	(1, 'shop_2c57d754856acc07');
INSERT INTO public.stripe_events VALUES
	('evt_11xY2NR37P7Z7DF27w6B121v', 'payment_intent.created', '2026-11-30 14:29:09+00', '2026-11-30 14:29:09.049079+00', 1, 'ignored', NULL, NULL, '3LD8-953P-6CNB-8ZXC'),
	('evt_11xY2NRxHisR07JIrT6cX5uf', 'charge.succeeded', '2026-11-30 14:29:09+00', '2026-11-30 14:29:09.062899+00', 1, 'known', 1, NULL, NULL),
	('evt_11xY2NRSubp12dK4A65zq6vB', 'payment_intent.succeeded', '2026-11-30 14:29:09+00', '2026-11-30 14:29:09.067757+00', 1, 'ignored', NULL, NULL, '3LD8-953P-6CNB-8ZXC'),
	('evt_11xY2NR9PM5fD0fMtMtO4SpK', 'checkout.session.completed', '2026-11-30 14:29:09+00', '2026-11-30 14:29:09.071175+00', 3, 'known', 1, NULL, NULL),
	('evt_11xY2NRIOZ69bg0iK74ma0h6', 'checkout.session.expired', '2026-11-30 14:29:09+00', '2026-11-30 14:29:09.359412+00', 1, 'known', 2, NULL, NULL),
	('evt_11xY2NRiHChsVOoH31MpJE5X', 'payment_intent.created', '2026-11-30 14:29:09+00', '2026-11-30 14:29:09.367536+00', 1, 'ignored', NULL, NULL, 'PZLR-QVST-DMB4-Z5HQ'),
	('evt_11xY2NRzZ2Lxhbi2doew3NG8', 'charge.succeeded', '2026-11-30 14:29:09+00', '2026-11-30 14:29:09.372843+00', 1, 'known', 5, NULL, NULL),
	('evt_11xY2NR6qMKbGXTc4BECzHiD', 'payment_intent.succeeded', '2026-11-30 14:29:09+00', '2026-11-30 14:29:09.376542+00', 1, 'ignored', NULL, NULL, 'PZLR-QVST-DMB4-Z5HQ'),
	('evt_11xY2NRjpT3nCx242mcAS0oD', 'checkout.session.completed', '2026-11-30 14:29:09+00', '2026-11-30 14:29:09.381453+00', 1, 'known', 5, NULL, NULL),
	('evt_11xY2NRnLhObcuhMAbswhhov', 'refund.created', '2026-11-30 14:29:09+00', '2026-11-30 14:29:09.389721+00', 1, 'known', 5, NULL, NULL),
	('evt_11xY2NR2btyjXfjhVniL0D0I', 'charge.refunded', '2026-11-30 14:29:09+00', '2026-11-30 14:29:09.394044+00', 1, 'ignored', NULL, NULL, 'PZLR-QVST-DMB4-Z5HQ'),
	('evt_11xY2NR8NJ7R5Qb81TxqnatV', 'payment_intent.created', '2026-11-30 14:29:09+00', '2026-11-30 14:29:09.477092+00', 1, 'ignored', NULL, NULL, 'VCGR-2HXF-YQFF-6CGG'),
	('evt_11xY2NRlizhbwkslAJL1g8HH', 'charge.succeeded', '2026-11-30 14:29:09+00', '2026-11-30 14:29:09.493525+00', 1, 'known', 6, NULL, NULL),
	('evt_11xY2NRuGQDiiMFe5XH8tECn', 'payment_intent.succeeded', '2026-11-30 14:29:09+00', '2026-11-30 14:29:09.512962+00', 1, 'ignored', NULL, NULL, 'VCGR-2HXF-YQFF-6CGG'),
	('evt_11xY2NRocEaxMEBFQa36Q27D', 'checkout.session.completed', '2026-11-30 14:29:09+00', '2026-11-30 14:29:09.518764+00', 1, 'known', 6, NULL, NULL),
	('evt_11xY2NRkoNhm75a4uPOLPbgX', 'refund.created', '2026-11-30 14:29:09+00', '2026-11-30 14:29:09.539183+00', 1, 'known', 6, NULL, NULL),
	('evt_11xY2NR6xdsQGYWAUEPLaB2B', 'charge.refunded', '2026-11-30 14:29:09+00', '2026-11-30 14:29:09.598942+00', 1, 'ignored', NULL, NULL, 'VCGR-2HXF-YQFF-6CGG'),
	('evt_11xY2NRwgTSsylDTEI9OJOpR', 'payment_intent.created', '2026-11-30 14:29:09+00', '2026-11-30 14:29:09.828542+00', 1, 'ignored', NULL, NULL, 'MZMV-M35X-PWKW-982M'),
	('evt_11xY2NRrXw7eAvlybYdV8Pb3', 'charge.succeeded', '2026-11-30 14:29:09+00', '2026-11-30 14:29:09.834068+00', 1, 'known', 7, NULL, NULL),
	('evt_11xY2NRhPFR9ojDC8DAKXNKZ', 'payment_intent.succeeded', '2026-11-30 14:29:09+00', '2026-11-30 14:29:09.838621+00', 1, 'ignored', NULL, NULL, 'MZMV-M35X-PWKW-982M'),
	('evt_11xY2NRI0eunuDPpcbaoHUEh', 'checkout.session.completed', '2026-11-30 14:29:09+00', '2026-11-30 14:29:09.842238+00', 1, 'known', 7, NULL, NULL),
	('evt_11xY2NREEevBeOrmVO6aqtVi', 'charge.dispute.created', '2026-11-30 14:29:09+00', '2026-11-30 14:29:09.853518+00', 1, 'applied', 7, NULL, NULL),
	('evt_11xY2NR802magG4KBcLGwD5U', 'charge.dispute.funds_withdrawn', '2026-11-30 14:29:09+00', '2026-11-30 14:29:09.874939+00', 1, 'known', 7, NULL, NULL),
	('evt_11xY2NRTkXR4P0nLR4KP7ovi', 'charge.updated', '2026-11-30 14:29:09+00', '2026-11-30 14:29:09.888239+00', 1, 'known', 7, NULL, NULL),
	('evt_11xY2NRnqNI9JSSgACRJ5Kvr', 'payment_intent.created', '2026-11-30 14:29:09+00', '2026-11-30 14:29:10.003272+00', 1, 'ignored', NULL, NULL, '7K8S-N4PT-4G6N-LL8M'),
	('evt_11xY2NRLOx7qHQyK5o9LNdBd', 'charge.pending', '2026-11-30 14:29:09+00', '2026-11-30 14:29:10.011533+00', 1, 'ignored', NULL, NULL, '7K8S-N4PT-4G6N-LL8M'),
	('evt_11xY2NRsSWN3ZxpgVG14GjPV', 'payment_intent.processing', '2026-11-30 14:29:09+00', '2026-11-30 14:29:10.015677+00', 1, 'ignored', NULL, NULL, '7K8S-N4PT-4G6N-LL8M'),
	('evt_11xY2NR4m4LHAi7TvSWi1Guz', 'checkout.session.completed', '2026-11-30 14:29:09+00', '2026-11-30 14:29:10.019008+00', 1, 'applied', 8, NULL, NULL),
	('evt_11xY2NSTR8gYkVZovSyBP87f', 'charge.updated', '2026-11-30 14:29:10+00', '2026-11-30 14:29:10.089669+00', 1, 'known', 1, NULL, NULL),
	('evt_11xY2NSqsfzWMbRckh5yeAeY', 'payment_intent.created', '2026-11-30 14:29:10+00', '2026-11-30 14:29:10.093581+00', 1, 'ignored', NULL, NULL, 'D24Z-GXKK-M3TW-LB3P'),
	('evt_11xY2NSuMAHmqdGrFgmrgvwS', 'charge.pending', '2026-11-30 14:29:10+00', '2026-11-30 14:29:10.097328+00', 1, 'ignored', NULL, NULL, 'D24Z-GXKK-M3TW-LB3P'),
	('evt_11xY2NSUbuZZER2RQietOJUz', 'payment_intent.processing', '2026-11-30 14:29:10+00', '2026-11-30 14:29:10.100049+00', 1, 'ignored', NULL, NULL, 'D24Z-GXKK-M3TW-LB3P'),
	('evt_11xY2NSi6FArbW1O0mZ0RJsv', 'checkout.session.completed', '2026-11-30 14:29:10+00', '2026-11-30 14:29:10.103012+00', 1, 'applied', 9, NULL, NULL),
	('evt_11xY2NSZFO3IijUl7r2tt43U', 'charge.failed', '2026-11-30 14:29:10+00', '2026-11-30 14:29:10.107329+00', 1, 'applied', 9, NULL, NULL),
	('evt_11xY2NSQuL77BqGNFZSvwYuS', 'payment_intent.payment_failed', '2026-11-30 14:29:10+00', '2026-11-30 14:29:10.118314+00', 1, 'known', 9, NULL, NULL),
	('evt_11xY2NSmihQ0b9pnGDYWq2bC', 'checkout.session.async_payment_failed', '2026-11-30 14:29:10+00', '2026-11-30 14:29:10.163156+00', 1, 'applied', 9, NULL, NULL),
	('evt_11xY2NSOZimEcZ9nbn42qrBA', 'payment_intent.created', '2026-11-30 14:29:10+00', '2026-11-30 14:29:10.315428+00', 1, 'ignored', NULL, NULL, '33B8-BXSW-7W4C-G784'),
	('evt_11xY2NSD2QOdIP7wPDHsFrd4', 'charge.succeeded', '2026-11-30 14:29:10+00', '2026-11-30 14:29:10.32156+00', 1, 'known', 10, NULL, NULL),
	('evt_11xY2NSzIdtFAitQDXPcDd7C', 'payment_intent.succeeded', '2026-11-30 14:29:10+00', '2026-11-30 14:29:10.325653+00', 1, 'ignored', NULL, NULL, '33B8-BXSW-7W4C-G784'),
	('evt_11xY2NSuKLSiTrC7XbaRMEG5', 'checkout.session.completed', '2026-11-30 14:29:10+00', '2026-11-30 14:29:10.332295+00', 1, 'known', 10, NULL, NULL),
	('evt_11xY2NS5YnCzlI0Gm2Ktbzt1', 'payment_intent.created', '2026-11-30 14:29:10+00', '2026-11-30 14:29:10.335943+00', 1, 'ignored', NULL, NULL, '33B8-BXSW-7W4C-G784'),
	('evt_11xY2NSyFWJs3Xbz9wfK0nsW', 'charge.succeeded', '2026-11-30 14:29:10+00', '2026-11-30 14:29:10.339134+00', 1, 'known', 10, NULL, NULL),
	('evt_11xY2NSkQ737Q5C1Wk1Ki4z1', 'payment_intent.succeeded', '2026-11-30 14:29:10+00', '2026-11-30 14:29:10.34224+00', 1, 'ignored', NULL, NULL, '33B8-BXSW-7W4C-G784'),
	('evt_11xY2NSYh3ac9mwA6jlSYbTJ', 'checkout.session.completed', '2026-11-30 14:29:10+00', '2026-11-30 14:29:10.359664+00', 1, 'applied', 10, NULL, NULL),
	('evt_11xY2NSRpx66rzaBZi0uaqjr', 'charge.updated', '2026-11-30 14:29:10+00', '2026-11-30 14:29:10.538263+00', 1, 'known', 5, NULL, NULL),
	('evt_11xY2NSHhx6ecQMAFP4Hrtky', 'charge.updated', '2026-11-30 14:29:10+00', '2026-11-30 14:29:10.55433+00', 1, 'known', 6, NULL, NULL),
	('evt_11xY2NSXaCkqk1Qc8JdbNC16', 'checkout.session.expired', '2026-11-30 14:29:10+00', '2026-11-30 14:29:10.560116+00', 1, 'applied', 11, NULL, NULL),
	('evt_11xY2NSlksbId9C3S4Akujv8', 'payment_intent.created', '2026-11-30 14:29:10+00', '2026-11-30 14:29:10.645566+00', 1, 'ignored', NULL, NULL, 'N9QM-CM7X-2B8H-CJV4'),
	('evt_11xY2NSYP9CIUc7jXGysKj7M', 'charge.succeeded', '2026-11-30 14:29:10+00', '2026-11-30 14:29:10.661269+00', 1, 'known', 12, NULL, NULL),
	('evt_11xY2NS27XvJy5nah8oTyH2E', 'payment_intent.succeeded', '2026-11-30 14:29:10+00', '2026-11-30 14:29:10.675617+00', 1, 'ignored', NULL, NULL, 'N9QM-CM7X-2B8H-CJV4');
INSERT INTO public.stripe_events VALUES
	('evt_11xY2NSMcHd69VsPsMoebM8S', 'checkout.session.completed', '2026-11-30 14:29:10+00', '2026-11-30 14:29:10.720321+00', 1, 'applied', 12, NULL, NULL),
	('evt_of_an_unknown_order', 'checkout.session.completed', '2026-11-30 14:29:10+00', '2026-11-30 14:29:10.742336+00', 1, 'orphan', NULL, NULL, 'AAAA-BBBB-CCCC-DDDD');
INSERT INTO public.turns VALUES
	('reconciler', '2026-11-30 14:29:10.744764+00', '2026-11-30 14:29:10.744764+00', NULL, NULL);
SELECT pg_catalog.setval('public.disputes_id_seq', 1, true);
SELECT pg_catalog.setval('public.order_items_id_seq', 12, true);
SELECT pg_catalog.setval('public.order_log_id_seq', 44, true);
SELECT pg_catalog.setval('public.orders_id_seq', 12, true);
SELECT pg_catalog.setval('public.products_id_seq', 3, true);
SELECT pg_catalog.setval('public.refunds_id_seq', 3, true);
SELECT pg_catalog.setval('public.repeats_id_seq', 3, true);
SELECT pg_catalog.setval('public.shop_marks_id_seq', 1, false);
ALTER TABLE ONLY public.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);
ALTER TABLE ONLY public.disputes
    ADD CONSTRAINT disputes_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.disputes
    ADD CONSTRAINT disputes_stripe_dispute_id_key UNIQUE (stripe_dispute_id);
ALTER TABLE ONLY public.order_items
    ADD CONSTRAINT order_items_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.order_log
    ADD CONSTRAINT order_log_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.orders
    ADD CONSTRAINT orders_checkout_session_id_key UNIQUE (checkout_session_id);
ALTER TABLE ONLY public.orders
    ADD CONSTRAINT orders_idempotency_key_key UNIQUE (idempotency_key);
ALTER TABLE ONLY public.orders
    ADD CONSTRAINT orders_number_key UNIQUE (number);
ALTER TABLE ONLY public.orders
    ADD CONSTRAINT orders_payment_intent_id_key UNIQUE (payment_intent_id);
ALTER TABLE ONLY public.orders
    ADD CONSTRAINT orders_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.products
    ADD CONSTRAINT products_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.products
    ADD CONSTRAINT products_slug_key UNIQUE (slug);
ALTER TABLE ONLY public.refunds
    ADD CONSTRAINT refunds_idempotency_key_key UNIQUE (idempotency_key);
ALTER TABLE ONLY public.refunds
    ADD CONSTRAINT refunds_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.refunds
    ADD CONSTRAINT refunds_stripe_refund_id_key UNIQUE (stripe_refund_id);
ALTER TABLE ONLY public.repeats
    ADD CONSTRAINT repeats_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.shop_marks
    ADD CONSTRAINT shop_marks_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.stripe_events
    ADD CONSTRAINT stripe_events_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.turns
    ADD CONSTRAINT turns_pkey PRIMARY KEY (name);
CREATE INDEX events_by_arrival ON public.stripe_events USING btree (received_at, id);
CREATE INDEX events_by_outcome ON public.stripe_events USING btree (outcome, received_at, id);
CREATE INDEX events_naming_an_order ON public.stripe_events USING btree (order_number) WHERE (order_number IS NOT NULL);
CREATE INDEX events_of_an_order ON public.stripe_events USING btree (order_id, outcome, deliveries);
CREATE INDEX events_to_try ON public.stripe_events USING btree (next_try_at) WHERE (next_try_at IS NOT NULL);
CREATE INDEX ix_disputes_order_id ON public.disputes USING btree (order_id);
CREATE INDEX ix_order_items_order_id ON public.order_items USING btree (order_id);
CREATE INDEX ix_orders_cart_key ON public.orders USING btree (cart_key);
CREATE INDEX ix_refunds_order_id ON public.refunds USING btree (order_id);
CREATE INDEX ix_repeats_event_id ON public.repeats USING btree (event_id);
CREATE INDEX ix_repeats_order_id ON public.repeats USING btree (order_id);
CREATE INDEX lines_of_an_order ON public.order_log USING btree (order_id, id);
CREATE UNIQUE INDEX one_payable_order_per_buyer ON public.orders USING btree (buyer) WHERE ((session_status)::text = ANY ((ARRAY['none'::character varying, 'open'::character varying])::text[]));
CREATE INDEX orders_by_creation ON public.orders USING btree (created_at, id);
CREATE INDEX orders_by_email ON public.orders USING btree (email_folded COLLATE "C");
CREATE INDEX orders_by_payment ON public.orders USING btree (paid_at, currency, total_amount, refunded_amount);
CREATE INDEX orders_by_status ON public.orders USING btree (status, created_at, id);
CREATE INDEX orders_of_a_buyer ON public.orders USING btree (buyer, id, status, payment_status);
CREATE INDEX undecided_orders ON public.orders USING btree (id) WHERE (((session_status)::text = ANY ((ARRAY['none'::character varying, 'open'::character varying])::text[])) OR ((status)::text = ANY ((ARRAY['open'::character varying, 'pending'::character varying, 'processing'::character varying, 'review'::character varying])::text[])));
CREATE INDEX unfinished_refunds ON public.refunds USING btree (id) WHERE ((status)::text = ANY ((ARRAY['requested'::character varying, 'pending'::character varying, 'requires_action'::character varying])::text[]));
ALTER TABLE ONLY public.disputes
    ADD CONSTRAINT disputes_order_id_fkey FOREIGN KEY (order_id) REFERENCES public.orders(id);
ALTER TABLE ONLY public.order_items
    ADD CONSTRAINT order_items_order_id_fkey FOREIGN KEY (order_id) REFERENCES public.orders(id);
ALTER TABLE ONLY public.order_items
    ADD CONSTRAINT order_items_product_id_fkey FOREIGN KEY (product_id) REFERENCES public.products(id);
ALTER TABLE ONLY public.order_log
    ADD CONSTRAINT order_log_order_id_fkey FOREIGN KEY (order_id) REFERENCES public.orders(id);
ALTER TABLE ONLY public.refunds
    ADD CONSTRAINT refunds_order_id_fkey FOREIGN KEY (order_id) REFERENCES public.orders(id);
ALTER TABLE ONLY public.repeats
    ADD CONSTRAINT repeats_event_id_fkey FOREIGN KEY (event_id) REFERENCES public.stripe_events(id);
ALTER TABLE ONLY public.repeats
    ADD CONSTRAINT repeats_order_id_fkey FOREIGN KEY (order_id) REFERENCES public.orders(id);
ALTER TABLE ONLY public.stripe_events
    ADD CONSTRAINT stripe_events_order_id_fkey FOREIGN KEY (order_id) REFERENCES public.orders(id);
