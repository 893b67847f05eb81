CREATE TABLE alembic_version (
  version_num VARCHAR(32) NOT NULL,
  CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0015');
CREATE TABLE disputes (
  id INTEGER NOT NULL,
  order_id INTEGER NOT NULL,
  payment_intent_id VARCHAR NOT NULL,
  amount INTEGER NOT NULL CHECK (amount > 0),
  status VARCHAR NOT NULL,
  reason VARCHAR NOT NULL,
  stripe_dispute_id VARCHAR NOT NULL,
  created_at DATETIME NOT NULL,
  updated_at DATETIME NOT NULL,
  PRIMARY KEY (id),
  FOREIGN KEY(order_id) REFERENCES orders (id),
  UNIQUE (stripe_dispute_id)
);
INSERT INTO "disputes" VALUES(1,7,'pi_31xY2NOqKfPqWVJNcRqI5Mjg',3998,'needs_response','fraudulent','du_11xY2NOFzT9vAx7yI4XkrJEh','2026-11-30 14:29:06.516966','2026-11-30 14:29:06.516978');
CREATE TABLE order_items (
  id INTEGER NOT NULL,
  order_id INTEGER NOT NULL,
  product_id INTEGER NOT NULL,
  name VARCHAR NOT NULL,
  unit_amount INTEGER NOT NULL,
  quantity INTEGER NOT NULL CHECK (quantity > 0),
  PRIMARY KEY (id),
  FOREIGN KEY(order_id) REFERENCES orders (id),
  FOREIGN KEY(product_id) REFERENCES products (id)
);
INSERT INTO "order_items" VALUES(1,1,1,'Red T-Shirt',1999,2);
INSERT INTO "order_items" VALUES(2,2,2,'Blue Jeans',4999,1);
INSERT INTO "order_items" VALUES(3,3,3,'Sneakers',7999,1);
INSERT INTO "order_items" VALUES(4,4,1,'Red T-Shirt',1999,1);
INSERT INTO "order_items" VALUES(5,5,1,'Red T-Shirt',1999,2);
INSERT INTO "order_items" VALUES(6,6,2,'Blue Jeans',4999,1);
INSERT INTO "order_items" VALUES(7,7,1,'Red T-Shirt',1999,2);
INSERT INTO "order_items" VALUES(8,8,1,'Red T-Shirt',1999,2);
INSERT INTO "order_items" VALUES(9,9,1,'Red T-Shirt',1999,2);
INSERT INTO "order_items" VALUES(10,10,1,'Red T-Shirt',1999,2);
INSERT INTO "order_items" VALUES(11,11,1,'Red T-Shirt',1999,2);
INSERT INTO "order_items" VALUES(12,12,1,'Red T-Shirt',1999,2);
CREATE TABLE order_log (
  id INTEGER NOT NULL,
  order_id INTEGER NOT NULL,
  at DATETIME NOT NULL,
  source VARCHAR NOT NULL,
  action VARCHAR NOT NULL,
  detail TEXT NOT NULL, evidence TEXT DEFAULT '' NOT NULL,
  PRIMARY KEY (id),
  FOREIGN KEY(order_id) REFERENCES orders (id)
);
INSERT INTO "order_log" VALUES(1,1,'2026-11-30 14:29:05.709999','buyer','placed','attempt 1','');
INSERT INTO "order_log" VALUES(2,1,'2026-11-30 14:29:05.745727','buyer','open','checkout session id cs_test_a11xY2NNS1iYJfSjKscAfpcNrj4UI64QEY3deF7TlXT6Zldz9kCtntMZy241 · session status open · checkout url known · session created','{"request": "POST /v1/checkout/sessions", "http_status": 200, "request_id": "req_1xY2NNfeuALCmR", "idempotency_key": "0680ce0e4eed7a4ef465127a9a8767427d94c93a57f95e870a3498ad9cc18972", "replayed": false, "milliseconds": 15}');
INSERT INTO "order_log" VALUES(3,1,'2026-11-30 14:29:05.797434','redirect','paid','session status complete · payment status paid · payment intent id pi_31xY2NNOCYxImx99ufC2qTXd · email known · receipt url known · looked up at Stripe','{"request": "GET /v1/checkout/sessions/cs_test_a11xY2NNS1iYJfSjKscAfpcNrj4UI64QEY3deF7TlXT6Zldz9kCtntMZy241", "http_status": 200, "request_id": "req_1xY2NNjneDcF8y", "idempotency_key": null, "replayed": false, "milliseconds": 5}');
INSERT INTO "order_log" VALUES(4,2,'2026-11-30 14:29:05.985351','buyer','placed','attempt 1','');
INSERT INTO "order_log" VALUES(5,2,'2026-11-30 14:29:06.007205','buyer','open','checkout session id cs_test_a11xY2NOlyMXaWT63NdbUBqEn6naGyekaSRyO4x7t2QfJzd3StdXrA1a1V6v · session status open · checkout url known · session created','{"request": "POST /v1/checkout/sessions", "http_status": 200, "request_id": "req_1xY2NNhVXE5Xdz", "idempotency_key": "6d370d82a7028029585bc9b2edac74de9b8d15813b569dd3dc1a592e60ac8b6b", "replayed": false, "milliseconds": 15}');
INSERT INTO "order_log" VALUES(6,2,'2026-11-30 14:29:06.013392','buyer','cancel asked','asked by the buyer','');
INSERT INTO "order_log" VALUES(7,2,'2026-11-30 14:29:06.033531','buyer','canceled','session status expired · expired at Stripe','{"request": "POST /v1/checkout/sessions/cs_test_a11xY2NOlyMXaWT63NdbUBqEn6naGyekaSRyO4x7t2QfJzd3StdXrA1a1V6v/expire", "http_status": 200, "request_id": "req_1xY2NO1dywmCp0", "idempotency_key": "cb9119c9-0602-d848-1ccf-11acdd7f22b4", "replayed": false, "milliseconds": 10}');
INSERT INTO "order_log" VALUES(8,3,'2026-11-30 14:29:06.041029','buyer','placed','attempt 1','');
INSERT INTO "order_log" VALUES(9,3,'2026-11-30 14:29:06.048587','buyer','open','checkout session id cs_test_a11xY2NOY2fqAteGqklAh2JAZwZrZsi2L6FLxrgOkV4XVe3kCMqWeTi7lpfN · session status open · checkout url known · session created','{"request": "POST /v1/checkout/sessions", "http_status": 200, "request_id": "req_1xY2NOhYrT2T3q", "idempotency_key": "f531aca01fe45fec28287d8682d115e25cb7a1d5424b2b8b7974255ba4465559", "replayed": false, "milliseconds": 5}');
INSERT INTO "order_log" VALUES(10,4,'2026-11-30 14:29:06.056955','buyer','placed','attempt 1','');
INSERT INTO "order_log" VALUES(11,5,'2026-11-30 14:29:06.060710','buyer','placed','attempt 1','');
INSERT INTO "order_log" VALUES(12,5,'2026-11-30 14:29:06.068927','buyer','open','checkout session id cs_test_a11xY2NOsvkrGnUgU1BulpfRSZQPQULxh0zNCvDHeJQIkmS0iuUq3b8HcGtg · session status open · checkout url known · session created','{"request": "POST /v1/checkout/sessions", "http_status": 200, "request_id": "req_1xY2NOGzSVVykR", "idempotency_key": "a5752717bd20a29da3eec2f2b85b003a70b45caea17acd5719653e8f1b71e10a", "replayed": false, "milliseconds": 4}');
INSERT INTO "order_log" VALUES(13,5,'2026-11-30 14:29:06.093831','redirect','paid','session status complete · payment status paid · payment intent id pi_31xY2NOK6iDN0LwsZokncjhD · email known · receipt url known · looked up at Stripe','{"request": "GET /v1/checkout/sessions/cs_test_a11xY2NOsvkrGnUgU1BulpfRSZQPQULxh0zNCvDHeJQIkmS0iuUq3b8HcGtg", "http_status": 200, "request_id": "req_1xY2NOK3yH8QTr", "idempotency_key": null, "replayed": false, "milliseconds": 10}');
INSERT INTO "order_log" VALUES(14,5,'2026-11-30 14:29:06.102613','operator','refund asked','$10.00 by Ada','');
INSERT INTO "order_log" VALUES(15,5,'2026-11-30 14:29:06.102749','operator','refund reason','Damaged or missing','');
INSERT INTO "order_log" VALUES(16,5,'2026-11-30 14:29:06.138963','operator','partially_refunded','refund re_31xY2NOPnOVJaQS5GlaXDMrP of $10.00: succeeded · refund created','{"request": "POST /v1/refunds", "http_status": 200, "request_id": "req_1xY2NOPCuBT3pR", "idempotency_key": "key-Q9HN-PF4K-7M58-PKZW", "replayed": false, "milliseconds": 14}');
INSERT INTO "order_log" VALUES(17,6,'2026-11-30 14:29:06.245140','buyer','placed','attempt 1','');
INSERT INTO "order_log" VALUES(18,6,'2026-11-30 14:29:06.251924','buyer','open','checkout session id cs_test_a11xY2NOMIHtVEoWnr0FKciWSwCUmwMXW2oNdHrNaZT8xrGWO6VYNaPK5pgI · session status open · checkout url known · session created','{"request": "POST /v1/checkout/sessions", "http_status": 200, "request_id": "req_1xY2NOePEwwdrN", "idempotency_key": "ddd677b5bbdcb8fca9874c4c038d1067164552f6e146b34ad1dc6ca135e88bce", "replayed": false, "milliseconds": 4}');
INSERT INTO "order_log" VALUES(19,6,'2026-11-30 14:29:06.261374','redirect','paid','session status complete · payment status paid · payment intent id pi_31xY2NOrKqoaAbGnzLJjhlbr · email known · receipt url known · looked up at Stripe','{"request": "GET /v1/checkout/sessions/cs_test_a11xY2NOMIHtVEoWnr0FKciWSwCUmwMXW2oNdHrNaZT8xrGWO6VYNaPK5pgI", "http_status": 200, "request_id": "req_1xY2NOpX8PVqwJ", "idempotency_key": null, "replayed": false, "milliseconds": 3}');
INSERT INTO "order_log" VALUES(20,6,'2026-11-30 14:29:06.264891','operator','refund asked','$49.99 by Ada','');
INSERT INTO "order_log" VALUES(21,6,'2026-11-30 14:29:06.264977','operator','refund reason','Damaged or missing','');
INSERT INTO "order_log" VALUES(22,6,'2026-11-30 14:29:06.276018','operator','refunded','refund re_31xY2NOPLncG15q1CpUnh8VL of $49.99: succeeded · refund created','{"request": "POST /v1/refunds", "http_status": 200, "request_id": "req_1xY2NOCG51vw8w", "idempotency_key": "key-GBMW-4SGL-DX9Q-SX27", "replayed": false, "milliseconds": 3}');
INSERT INTO "order_log" VALUES(23,7,'2026-11-30 14:29:06.320165','buyer','placed','attempt 1','');
INSERT INTO "order_log" VALUES(24,7,'2026-11-30 14:29:06.327076','buyer','open','checkout session id cs_test_a11xY2NOkdmboEVIzKLv2ib8S71v1Xg4YIvRFjvvbkMlQ56QhrU19wtAOghE · session status open · checkout url known · session created','{"request": "POST /v1/checkout/sessions", "http_status": 200, "request_id": "req_1xY2NO4kLJreDi", "idempotency_key": "c4062acd0d1c2514209f8fb504b5d869b24831eb753cca0296d68576aafbbd35", "replayed": false, "milliseconds": 4}');
INSERT INTO "order_log" VALUES(25,7,'2026-11-30 14:29:06.345298','redirect','paid','session status complete · payment status paid · payment intent id pi_31xY2NOqKfPqWVJNcRqI5Mjg · email known · receipt url known · looked up at Stripe','{"request": "GET /v1/checkout/sessions/cs_test_a11xY2NOkdmboEVIzKLv2ib8S71v1Xg4YIvRFjvvbkMlQ56QhrU19wtAOghE", "http_status": 200, "request_id": "req_1xY2NODo5m6Q20", "idempotency_key": null, "replayed": false, "milliseconds": 5}');
INSERT INTO "order_log" VALUES(26,7,'2026-11-30 14:29:06.516214','webhook','disputed','dispute du_11xY2NOFzT9vAx7yI4XkrJEh of $39.98: needs_response · evt_11xY2NOoF6ZBbZCTuot17kj3','{"event_id":"evt_11xY2NOoF6ZBbZCTuot17kj3"}');
INSERT INTO "order_log" VALUES(27,8,'2026-11-30 14:29:06.567029','buyer','placed','attempt 1','');
INSERT INTO "order_log" VALUES(28,8,'2026-11-30 14:29:06.580268','buyer','open','checkout session id cs_test_a11xY2NOOOpJagYgzi4xLq6XogWDxhs6sLKv106Jb7Vl6yCOZ8XEk8354pc6 · session status open · checkout url known · session created','{"request": "POST /v1/checkout/sessions", "http_status": 200, "request_id": "req_1xY2NOFa0AWcsn", "idempotency_key": "23924c5caa2a9c65cc5be1c3bdead411c2af2a9936c2ee2b64470057f909f4cb", "replayed": false, "milliseconds": 9}');
INSERT INTO "order_log" VALUES(29,8,'2026-11-30 14:29:06.666510','webhook','processing','session status complete · payment intent id pi_31xY2NOhFtmZrqAgfqz92UeX · email known · evt_11xY2NOSWtVKgzozQy6ugnLH','{"event_id":"evt_11xY2NOSWtVKgzozQy6ugnLH"}');
INSERT INTO "order_log" VALUES(30,9,'2026-11-30 14:29:06.678953','buyer','placed','attempt 1','');
INSERT INTO "order_log" VALUES(31,9,'2026-11-30 14:29:06.689505','buyer','open','checkout session id cs_test_a11xY2NOi2ext0UHth6ePWZJ5ROG6zO6OpKDGrMuNVrhiKrd4pFmiL7Yr2em · session status open · checkout url known · session created','{"request": "POST /v1/checkout/sessions", "http_status": 200, "request_id": "req_1xY2NOx0TyEXeu", "idempotency_key": "61d1c421747bd3d1084c4aee213e9982102795c21bd5bfcef7e7801ad224578e", "replayed": false, "milliseconds": 6}');
INSERT INTO "order_log" VALUES(32,9,'2026-11-30 14:29:06.780203','webhook','processing','session status complete · payment intent id pi_31xY2NOL4LgTgq6fWhaRH11E · email known · evt_11xY2NOA4KP7bDq1IEMwcmpK','{"event_id":"evt_11xY2NOA4KP7bDq1IEMwcmpK"}');
INSERT INTO "order_log" VALUES(33,9,'2026-11-30 14:29:06.786425','webhook','attempt failed','The customer''s account has insufficient funds to cover this payment. · evt_11xY2NO4mD6aIXv5ShElDwrX','{"event_id":"evt_11xY2NO4mD6aIXv5ShElDwrX","attempt":"ch_31xY2NO8CzjxMeoGIILDEhsn","code":"insufficient_funds","decline_code":"insufficient_funds","card":null}');
INSERT INTO "order_log" VALUES(34,9,'2026-11-30 14:29:06.800879','webhook','failed','payment status failed · evt_11xY2NOf4UInKLq8LnlAJl5h','{"event_id":"evt_11xY2NOf4UInKLq8LnlAJl5h"}');
INSERT INTO "order_log" VALUES(35,10,'2026-11-30 14:29:06.807917','buyer','placed','attempt 1','');
INSERT INTO "order_log" VALUES(36,10,'2026-11-30 14:29:06.816342','buyer','open','checkout session id cs_test_a11xY2NOW12RBl858l6mmkDwlTCESvEOfvvXNPdqwjgNrkROQeRXBWzVDPyJ · session status open · checkout url known · session created','{"request": "POST /v1/checkout/sessions", "http_status": 200, "request_id": "req_1xY2NO60c82Xnw", "idempotency_key": "420792ab96808f84d831776846232f4b131a81621ce9c73c8634f9b0c3a2ef68", "replayed": false, "milliseconds": 5}');
INSERT INTO "order_log" VALUES(37,10,'2026-11-30 14:29:06.832836','redirect','paid','session status complete · payment status paid · payment intent id pi_31xY2NOVWj75aXiTzxTAJIVJ · email known · receipt url known · looked up at Stripe','{"request": "GET /v1/checkout/sessions/cs_test_a11xY2NOW12RBl858l6mmkDwlTCESvEOfvvXNPdqwjgNrkROQeRXBWzVDPyJ", "http_status": 200, "request_id": "req_1xY2NObceDtdYt", "idempotency_key": null, "replayed": false, "milliseconds": 8}');
INSERT INTO "order_log" VALUES(38,10,'2026-11-30 14:29:06.980193','webhook','noted','second payment pi_31xY2NOHpSYHFjTmHsdklfS6 by cs_test_a11xY2NOTTm51KjjBluwh4APb8ZRvRfuJlWqKtcmRAZ0Eqnv9G1a20eXTbjy: to be refunded · the event says: a second payment; Stripe was asked · evt_11xY2NOC4rotzAI31SNufdMr','{"event_id":"evt_11xY2NOC4rotzAI31SNufdMr"}');
INSERT INTO "order_log" VALUES(39,11,'2026-11-30 14:29:06.989296','buyer','placed','attempt 1','');
INSERT INTO "order_log" VALUES(40,11,'2026-11-30 14:29:07.001448','buyer','open','checkout session id cs_test_a11xY2NOgMUxh294DQEYjuqgR1zc6mBXbkcyZq2OKbPupADIv9y9EdYHtWpS · session status open · checkout url known · session created','{"request": "POST /v1/checkout/sessions", "http_status": 200, "request_id": "req_1xY2NOduB0NgiZ", "idempotency_key": "06cdc35907d8613868b05367e47a15018cddb50c69b224901a8ad0e35164277e", "replayed": false, "milliseconds": 5}');
INSERT INTO "order_log" VALUES(41,11,'2026-11-30 14:29:07.081270','webhook','expired','session status expired · evt_11xY2NPqXE5ODCsa0r7WAQxX','{"event_id":"evt_11xY2NPqXE5ODCsa0r7WAQxX"}');
INSERT INTO "order_log" VALUES(42,12,'2026-11-30 14:29:07.088824','buyer','placed','attempt 1','');
INSERT INTO "order_log" VALUES(43,12,'2026-11-30 14:29:07.095865','buyer','open','checkout session id cs_test_a11xY2NPUQRLHLfiSL79uhx4WLzh2vCYwSrqafZOj2lzVe1DElRvUwfPd8e4 · session status open · checkout url known · session created','{"request": "POST /v1/checkout/sessions", "http_status": 200, "request_id": "req_1xY2NPIM48FJAn", "idempotency_key": "b5622cb7ffd2c61f25e8b56d89875f4ba0f54edcecb8007af4560c6b8d79aee1", "replayed": false, "milliseconds": 4}');
INSERT INTO "order_log" VALUES(44,12,'2026-11-30 14:29:07.166641','webhook','review','review reason amount $39.98 instead of $40.00 · the event says: amount $39.98 instead of $40.00; Stripe was asked · evt_11xY2NPBY1UAZG4TyJPeJe5e','{"event_id":"evt_11xY2NPBY1UAZG4TyJPeJe5e"}');
CREATE TABLE orders (
  id INTEGER NOT NULL,
  number VARCHAR NOT NULL,
  buyer VARCHAR NOT NULL,
  currency VARCHAR NOT NULL,
  total_amount INTEGER NOT NULL CHECK (total_amount > 0),
  status VARCHAR NOT NULL,
  cart_key VARCHAR NOT NULL,
  attempt INTEGER NOT NULL,
  idempotency_key VARCHAR NOT NULL,
  checkout_parameters TEXT NOT NULL,
  checkout_session_id VARCHAR,
  checkout_url TEXT,
  checkout_expires_at DATETIME NOT NULL,
  session_status VARCHAR NOT NULL,
  payment_status VARCHAR NOT NULL,
  payment_intent_id VARCHAR,
  cancel_requested_at DATETIME,
  review_reason TEXT,
  refunded_amount INTEGER NOT NULL,
  email VARCHAR,
  receipt_url TEXT,
  created_at DATETIME NOT NULL,
  paid_at DATETIME,
  updated_at DATETIME NOT NULL, email_folded VARCHAR, refund_review_reason TEXT, check_failures INTEGER DEFAULT '0' NOT NULL, next_check_at DATETIME, placed_under VARCHAR,
  PRIMARY KEY (id),
  UNIQUE (checkout_session_id),
  UNIQUE (idempotency_key),
  UNIQUE (number),
  UNIQUE (payment_intent_id)
);
INSERT INTO "orders" VALUES(1,'XZR8-8YCT-2CTG-2DMG','bf7fa04c7d229821f39192419995ed9ee7a7dc21dd256793123e490e0ffbd601','usd',3998,'paid','e567336d718f9b1d6033a69ba18e71b18ead498129bae97b51649f44be2c35ca',1,'0680ce0e4eed7a4ef465127a9a8767427d94c93a57f95e870a3498ad9cc18972','{"mode": "payment", "line_items": [{"quantity": 2, "price_data": {"currency": "usd", "unit_amount": 1999, "product_data": {"name": "Red T-Shirt", "description": "Heavy organic cotton, cut straight and washed soft.", "images": ["http://127.0.0.1:9/images/red-t-shirt.svg"]}}}], "client_reference_id": "XZR8-8YCT-2CTG-2DMG", "metadata": {"order_number": "XZR8-8YCT-2CTG-2DMG", "shop": "shop_7d0226ec9521f22a"}, "payment_intent_data": {"metadata": {"order_number": "XZR8-8YCT-2CTG-2DMG"}}, "success_url": "http://127.0.0.1:9/order?number=XZR8-8YCT-2CTG-2DMG&session_id={CHECKOUT_SESSION_ID}", "cancel_url": "http://127.0.0.1:9/?resume=XZR8-8YCT-2CTG-2DMG", "expires_at": 1796052545}','cs_test_a11xY2NNS1iYJfSjKscAfpcNrj4UI64QEY3deF7TlXT6Zldz9kCtntMZy241','http://127.0.0.1:17750/c/pay/cs_test_a11xY2NNS1iYJfSjKscAfpcNrj4UI64QEY3deF7TlXT6Zldz9kCtntMZy241','2026-11-30 15:29:05.000000','complete','paid','pi_31xY2NNOCYxImx99ufC2qTXd',NULL,NULL,0,'ada@example.com','http://127.0.0.1:17750/emulator/receipts/ch_31xY2NNsRo83CDc7qZpL5Ovz','2026-11-30 14:29:05.704685','2026-11-30 14:29:05.797434','2026-11-30 14:29:05.797434','ada@example.com',NULL,0,NULL,'355309b9379fff48');
INSERT INTO "orders" VALUES(2,'L4PH-HB66-PSWX-ZXFS','bf7fa04c7d229821f39192419995ed9ee7a7dc21dd256793123e490e0ffbd601','usd',4999,'canceled','d80916cd355d4510140a450e65f6e58e151659aeffb344b62cb381f90b2cfbaf',1,'6d370d82a7028029585bc9b2edac74de9b8d15813b569dd3dc1a592e60ac8b6b','{"mode": "payment", "line_items": [{"quantity": 1, "price_data": {"currency": "usd", "unit_amount": 4999, "product_data": {"name": "Blue Jeans", "description": "Mid-rise, straight leg, in rinsed indigo denim.", "images": ["http://127.0.0.1:9/images/blue-jeans.svg"]}}}], "client_reference_id": "L4PH-HB66-PSWX-ZXFS", "metadata": {"order_number": "L4PH-HB66-PSWX-ZXFS", "shop": "shop_7d0226ec9521f22a"}, "payment_intent_data": {"metadata": {"order_number": "L4PH-HB66-PSWX-ZXFS"}}, "success_url": "http://127.0.0.1:9/order?number=L4PH-HB66-PSWX-ZXFS&session_id={CHECKOUT_SESSION_ID}", "cancel_url": "http://127.0.0.1:9/?resume=L4PH-HB66-PSWX-ZXFS", "expires_at": 1796052545}','cs_test_a11xY2NOlyMXaWT63NdbUBqEn6naGyekaSRyO4x7t2QfJzd3StdXrA1a1V6v','http://127.0.0.1:17750/c/pay/cs_test_a11xY2NOlyMXaWT63NdbUBqEn6naGyekaSRyO4x7t2QfJzd3StdXrA1a1V6v','2026-11-30 15:29:05.000000','expired','unpaid',NULL,'2026-11-30 14:29:06.013361',NULL,0,NULL,NULL,'2026-11-30 14:29:05.984443',NULL,'2026-11-30 14:29:06.033531',NULL,NULL,0,NULL,'355309b9379fff48');
INSERT INTO "orders" VALUES(3,'NQ2G-HHTJ-46SC-HLZB','bf7fa04c7d229821f39192419995ed9ee7a7dc21dd256793123e490e0ffbd601','usd',7999,'open','0f39a8e528c132e8dbd4b9ee367b131ab72a567f2d2828a8b200b764b58a10bf',1,'f531aca01fe45fec28287d8682d115e25cb7a1d5424b2b8b7974255ba4465559','{"mode": "payment", "line_items": [{"quantity": 1, "price_data": {"currency": "usd", "unit_amount": 7999, "product_data": {"name": "Sneakers", "description": "Low-top canvas on a gum sole, light on the foot.", "images": ["http://127.0.0.1:9/images/sneakers.svg"]}}}], "client_reference_id": "NQ2G-HHTJ-46SC-HLZB", "metadata": {"order_number": "NQ2G-HHTJ-46SC-HLZB", "shop": "shop_7d0226ec9521f22a"}, "payment_intent_data": {"metadata": {"order_number": "NQ2G-HHTJ-46SC-HLZB"}}, "success_url": "http://127.0.0.1:9/order?number=NQ2G-HHTJ-46SC-HLZB&session_id={CHECKOUT_SESSION_ID}", "cancel_url": "http://127.0.0.1:9/?resume=NQ2G-HHTJ-46SC-HLZB", "expires_at": 1796052546}','cs_test_a11xY2NOY2fqAteGqklAh2JAZwZrZsi2L6FLxrgOkV4XVe3kCMqWeTi7lpfN','http://127.0.0.1:17750/c/pay/cs_test_a11xY2NOY2fqAteGqklAh2JAZwZrZsi2L6FLxrgOkV4XVe3kCMqWeTi7lpfN','2026-11-30 15:29:06.000000','open','unpaid',NULL,NULL,NULL,0,NULL,NULL,'2026-11-30 14:29:06.040223',NULL,'2026-11-30 14:29:06.048587',NULL,NULL,0,NULL,'355309b9379fff48');
INSERT INTO "orders" VALUES(4,'C2NR-Q5VN-2PWH-T7BT','6ee63df94a03caa66d0a7acb657735f92bea2bececed0f8d60e11c2d6eee8a05','usd',1999,'pending','72d63ea3dde4303d53b9e7c937db01cdfa7dfbaf9c7f40bfe552bed9d5264797',1,'794fc230ce8b16109fcb4a4c7b8501810c2874e15f272709f065ecbc273199a6','{"mode": "payment", "line_items": [{"quantity": 1, "price_data": {"currency": "usd", "unit_amount": 1999, "product_data": {"name": "Red T-Shirt", "description": "Heavy organic cotton, cut straight and washed soft.", "images": ["http://127.0.0.1:9/images/red-t-shirt.svg"]}}}], "client_reference_id": "C2NR-Q5VN-2PWH-T7BT", "metadata": {"order_number": "C2NR-Q5VN-2PWH-T7BT", "shop": "shop_7d0226ec9521f22a"}, "payment_intent_data": {"metadata": {"order_number": "C2NR-Q5VN-2PWH-T7BT"}}, "success_url": "http://127.0.0.1:9/order?number=C2NR-Q5VN-2PWH-T7BT&session_id={CHECKOUT_SESSION_ID}", "cancel_url": "http://127.0.0.1:9/?resume=C2NR-Q5VN-2PWH-T7BT", "expires_at": 1796052546}',NULL,NULL,'2026-11-30 15:29:06.000000','none','unpaid',NULL,NULL,NULL,0,NULL,NULL,'2026-11-30 14:29:06.056239',NULL,'2026-11-30 14:29:06.056258',NULL,NULL,0,NULL,'355309b9379fff48');
INSERT INTO "orders" VALUES(5,'Q9HN-PF4K-7M58-PKZW','756bae4feaf2620d9891542b479674fc30e8b4e0f7871ec50b8e36cf830c52b3','usd',3998,'partially_refunded','083d81995feca5a78d4c7648330ed0bdb2459f430ffb966234ec8a5a768aeb0e',1,'a5752717bd20a29da3eec2f2b85b003a70b45caea17acd5719653e8f1b71e10a','{"mode": "payment", "line_items": [{"quantity": 2, "price_data": {"currency": "usd", "unit_amount": 1999, "product_data": {"name": "Red T-Shirt", "description": "Heavy organic cotton, cut straight and washed soft.", "images": ["http://127.0.0.1:9/images/red-t-shirt.svg"]}}}], "client_reference_id": "Q9HN-PF4K-7M58-PKZW", "metadata": {"order_number": "Q9HN-PF4K-7M58-PKZW", "shop": "shop_7d0226ec9521f22a"}, "payment_intent_data": {"metadata": {"order_number": "Q9HN-PF4K-7M58-PKZW"}}, "success_url": "http://127.0.0.1:9/order?number=Q9HN-PF4K-7M58-PKZW&session_id={CHECKOUT_SESSION_ID}", "cancel_url": "http://127.0.0.1:9/?resume=Q9HN-PF4K-7M58-PKZW", "expires_at": 1796052546}','cs_test_a11xY2NOsvkrGnUgU1BulpfRSZQPQULxh0zNCvDHeJQIkmS0iuUq3b8HcGtg','http://127.0.0.1:17750/c/pay/cs_test_a11xY2NOsvkrGnUgU1BulpfRSZQPQULxh0zNCvDHeJQIkmS0iuUq3b8HcGtg','2026-11-30 15:29:06.000000','complete','paid','pi_31xY2NOK6iDN0LwsZokncjhD',NULL,NULL,1000,'ada@example.com','http://127.0.0.1:17750/emulator/receipts/ch_31xY2NOabWHaDlbuA3X1r2iB','2026-11-30 14:29:06.060083','2026-11-30 14:29:06.093831','2026-11-30 14:29:06.138963','ada@example.com',NULL,0,NULL,'355309b9379fff48');
INSERT INTO "orders" VALUES(6,'GBMW-4SGL-DX9Q-SX27','991477b32e486843a430693d5779f6d886516c82545c77034488eeb86e1f5b08','usd',4999,'refunded','c16aa878935ce142083bc87219649e45304a08ac14230a1718ab1452530f5eac',1,'ddd677b5bbdcb8fca9874c4c038d1067164552f6e146b34ad1dc6ca135e88bce','{"mode": "payment", "line_items": [{"quantity": 1, "price_data": {"currency": "usd", "unit_amount": 4999, "product_data": {"name": "Blue Jeans", "description": "Mid-rise, straight leg, in rinsed indigo denim.", "images": ["http://127.0.0.1:9/images/blue-jeans.svg"]}}}], "client_reference_id": "GBMW-4SGL-DX9Q-SX27", "metadata": {"order_number": "GBMW-4SGL-DX9Q-SX27", "shop": "shop_7d0226ec9521f22a"}, "payment_intent_data": {"metadata": {"order_number": "GBMW-4SGL-DX9Q-SX27"}}, "success_url": "http://127.0.0.1:9/order?number=GBMW-4SGL-DX9Q-SX27&session_id={CHECKOUT_SESSION_ID}", "cancel_url": "http://127.0.0.1:9/?resume=GBMW-4SGL-DX9Q-SX27", "expires_at": 1796052546}','cs_test_a11xY2NOMIHtVEoWnr0FKciWSwCUmwMXW2oNdHrNaZT8xrGWO6VYNaPK5pgI','http://127.0.0.1:17750/c/pay/cs_test_a11xY2NOMIHtVEoWnr0FKciWSwCUmwMXW2oNdHrNaZT8xrGWO6VYNaPK5pgI','2026-11-30 15:29:06.000000','complete','paid','pi_31xY2NOrKqoaAbGnzLJjhlbr',NULL,NULL,4999,'ada@example.com','http://127.0.0.1:17750/emulator/receipts/ch_31xY2NOnVyDawKbERVpx6Ygw','2026-11-30 14:29:06.244019','2026-11-30 14:29:06.261374','2026-11-30 14:29:06.276018','ada@example.com',NULL,0,NULL,'355309b9379fff48');
INSERT INTO "orders" VALUES(7,'HR7Y-RB49-5WWV-P6F4','3e219e98f3407673bd32564f3afe9916cdf57be1ef4ec7639644f0a3615c13da','usd',3998,'disputed','f257e9f13cea9a77efb98cce873a1ad504182aa695101ea7becdf1d5327a2c8e',1,'c4062acd0d1c2514209f8fb504b5d869b24831eb753cca0296d68576aafbbd35','{"mode": "payment", "line_items": [{"quantity": 2, "price_data": {"currency": "usd", "unit_amount": 1999, "product_data": {"name": "Red T-Shirt", "description": "Heavy organic cotton, cut straight and washed soft.", "images": ["http://127.0.0.1:9/images/red-t-shirt.svg"]}}}], "client_reference_id": "HR7Y-RB49-5WWV-P6F4", "metadata": {"order_number": "HR7Y-RB49-5WWV-P6F4", "shop": "shop_7d0226ec9521f22a"}, "payment_intent_data": {"metadata": {"order_number": "HR7Y-RB49-5WWV-P6F4"}}, "success_url": "http://127.0.0.1:9/order?number=HR7Y-RB49-5WWV-P6F4&session_id={CHECKOUT_SESSION_ID}", "cancel_url": "http://127.0.0.1:9/?resume=HR7Y-RB49-5WWV-P6F4", "expires_at": 1796052546}','cs_test_a11xY2NOkdmboEVIzKLv2ib8S71v1Xg4YIvRFjvvbkMlQ56QhrU19wtAOghE','http://127.0.0.1:17750/c/pay/cs_test_a11xY2NOkdmboEVIzKLv2ib8S71v1Xg4YIvRFjvvbkMlQ56QhrU19wtAOghE','2026-11-30 15:29:06.000000','complete','paid','pi_31xY2NOqKfPqWVJNcRqI5Mjg',NULL,NULL,0,'ada@example.com','http://127.0.0.1:17750/emulator/receipts/ch_31xY2NOvkSmeWIZiDcFpjUeD','2026-11-30 14:29:06.319130','2026-11-30 14:29:06.345298','2026-11-30 14:29:06.516214','ada@example.com',NULL,0,NULL,'355309b9379fff48');
INSERT INTO "orders" VALUES(8,'XNV4-JXTB-LBFJ-TFX3','f8ba6061cf61ff0b86818400638d28ca97d0005f78f6af35128e3b25a52a29b2','usd',3998,'processing','d11ffa64f02370f36966a43019418c92ca8ed86aac90b3bdeddd844e83e46375',1,'23924c5caa2a9c65cc5be1c3bdead411c2af2a9936c2ee2b64470057f909f4cb','{"mode": "payment", "line_items": [{"quantity": 2, "price_data": {"currency": "usd", "unit_amount": 1999, "product_data": {"name": "Red T-Shirt", "description": "Heavy organic cotton, cut straight and washed soft.", "images": ["http://127.0.0.1:9/images/red-t-shirt.svg"]}}}], "client_reference_id": "XNV4-JXTB-LBFJ-TFX3", "metadata": {"order_number": "XNV4-JXTB-LBFJ-TFX3", "shop": "shop_7d0226ec9521f22a"}, "payment_intent_data": {"metadata": {"order_number": "XNV4-JXTB-LBFJ-TFX3"}}, "success_url": "http://127.0.0.1:9/order?number=XNV4-JXTB-LBFJ-TFX3&session_id={CHECKOUT_SESSION_ID}", "cancel_url": "http://127.0.0.1:9/?resume=XNV4-JXTB-LBFJ-TFX3", "expires_at": 1796052546}','cs_test_a11xY2NOOOpJagYgzi4xLq6XogWDxhs6sLKv106Jb7Vl6yCOZ8XEk8354pc6','http://127.0.0.1:17750/c/pay/cs_test_a11xY2NOOOpJagYgzi4xLq6XogWDxhs6sLKv106Jb7Vl6yCOZ8XEk8354pc6','2026-11-30 15:29:06.000000','complete','unpaid','pi_31xY2NOhFtmZrqAgfqz92UeX',NULL,NULL,0,'ada@example.com',NULL,'2026-11-30 14:29:06.565877',NULL,'2026-11-30 14:29:06.666510','ada@example.com',NULL,0,NULL,'355309b9379fff48');
INSERT INTO "orders" VALUES(9,'SL2T-VGF7-X72G-7RYW','b1a662a1a5a41b21aa58d67d827c532e3074e6acc342852813f59b0d16d74c05','usd',3998,'failed','77a42143a53eba000f3656c1c2b3dd82cfe3b3137b41b565b20ada80a173d0de',1,'61d1c421747bd3d1084c4aee213e9982102795c21bd5bfcef7e7801ad224578e','{"mode": "payment", "line_items": [{"quantity": 2, "price_data": {"currency": "usd", "unit_amount": 1999, "product_data": {"name": "Red T-Shirt", "description": "Heavy organic cotton, cut straight and washed soft.", "images": ["http://127.0.0.1:9/images/red-t-shirt.svg"]}}}], "client_reference_id": "SL2T-VGF7-X72G-7RYW", "metadata": {"order_number": "SL2T-VGF7-X72G-7RYW", "shop": "shop_7d0226ec9521f22a"}, "payment_intent_data": {"metadata": {"order_number": "SL2T-VGF7-X72G-7RYW"}}, "success_url": "http://127.0.0.1:9/order?number=SL2T-VGF7-X72G-7RYW&session_id={CHECKOUT_SESSION_ID}", "cancel_url": "http://127.0.0.1:9/?resume=SL2T-VGF7-X72G-7RYW", "expires_at": 1796052546}','cs_test_a11xY2NOi2ext0UHth6ePWZJ5ROG6zO6OpKDGrMuNVrhiKrd4pFmiL7Yr2em','http://127.0.0.1:17750/c/pay/cs_test_a11xY2NOi2ext0UHth6ePWZJ5ROG6zO6OpKDGrMuNVrhiKrd4pFmiL7Yr2em','2026-11-30 15:29:06.000000','complete','failed','pi_31xY2NOL4LgTgq6fWhaRH11E',NULL,NULL,0,'ada@example.com',NULL,'2026-11-30 14:29:06.677820',NULL,'2026-11-30 14:29:06.800879','ada@example.com',NULL,0,NULL,'355309b9379fff48');
INSERT INTO "orders" VALUES(10,'RF9Y-N97T-LXCC-T3GJ','33bbfcefa046dbac92f670eb4a7f93c2009f1033c1a0331e7aa8a08c402c54a2','usd',3998,'paid','4786151907e96187ff51271088033266467c3f8e5b77c1885e9ab939892045ee',1,'420792ab96808f84d831776846232f4b131a81621ce9c73c8634f9b0c3a2ef68','{"mode": "payment", "line_items": [{"quantity": 2, "price_data": {"currency": "usd", "unit_amount": 1999, "product_data": {"name": "Red T-Shirt", "description": "Heavy organic cotton, cut straight and washed soft.", "images": ["http://127.0.0.1:9/images/red-t-shirt.svg"]}}}], "client_reference_id": "RF9Y-N97T-LXCC-T3GJ", "metadata": {"order_number": "RF9Y-N97T-LXCC-T3GJ", "shop": "shop_7d0226ec9521f22a"}, "payment_intent_data": {"metadata": {"order_number": "RF9Y-N97T-LXCC-T3GJ"}}, "success_url": "http://127.0.0.1:9/order?number=RF9Y-N97T-LXCC-T3GJ&session_id={CHECKOUT_SESSION_ID}", "cancel_url": "http://127.0.0.1:9/?resume=RF9Y-N97T-LXCC-T3GJ", "expires_at": 1796052546}','cs_test_a11xY2NOW12RBl858l6mmkDwlTCESvEOfvvXNPdqwjgNrkROQeRXBWzVDPyJ','http://127.0.0.1:17750/c/pay/cs_test_a11xY2NOW12RBl858l6mmkDwlTCESvEOfvvXNPdqwjgNrkROQeRXBWzVDPyJ','2026-11-30 15:29:06.000000','complete','paid','pi_31xY2NOVWj75aXiTzxTAJIVJ',NULL,NULL,0,'ada@example.com','http://127.0.0.1:17750/emulator/receipts/ch_31xY2NOnG6Yk3dAJNE12OPEt','2026-11-30 14:29:06.806467','2026-11-30 14:29:06.832836','2026-11-30 14:29:06.832836','ada@example.com',NULL,0,NULL,'355309b9379fff48');
INSERT INTO "orders" VALUES(11,'3YTD-KRMG-RHNL-92PM','9a150502d97b2bd21c84b2a3e444b4c22ab1a4db6ba18089f01c05f9cf753860','usd',3998,'expired','e9052d967287ab65b2dc0c8858ab0032f1607b3749d0ca0181cad9473fba95af',1,'06cdc35907d8613868b05367e47a15018cddb50c69b224901a8ad0e35164277e','{"mode": "payment", "line_items": [{"quantity": 2, "price_data": {"currency": "usd", "unit_amount": 1999, "product_data": {"name": "Red T-Shirt", "description": "Heavy organic cotton, cut straight and washed soft.", "images": ["http://127.0.0.1:9/images/red-t-shirt.svg"]}}}], "client_reference_id": "3YTD-KRMG-RHNL-92PM", "metadata": {"order_number": "3YTD-KRMG-RHNL-92PM", "shop": "shop_7d0226ec9521f22a"}, "payment_intent_data": {"metadata": {"order_number": "3YTD-KRMG-RHNL-92PM"}}, "success_url": "http://127.0.0.1:9/order?number=3YTD-KRMG-RHNL-92PM&session_id={CHECKOUT_SESSION_ID}", "cancel_url": "http://127.0.0.1:9/?resume=3YTD-KRMG-RHNL-92PM", "expires_at": 1796052546}','cs_test_a11xY2NOgMUxh294DQEYjuqgR1zc6mBXbkcyZq2OKbPupADIv9y9EdYHtWpS','http://127.0.0.1:17750/c/pay/cs_test_a11xY2NOgMUxh294DQEYjuqgR1zc6mBXbkcyZq2OKbPupADIv9y9EdYHtWpS','2026-11-30 15:29:06.000000','expired','unpaid',NULL,NULL,NULL,0,NULL,NULL,'2026-11-30 14:29:06.988515',NULL,'2026-11-30 14:29:07.081270',NULL,NULL,0,NULL,'355309b9379fff48');
INSERT INTO "orders" VALUES(12,'VZ2Y-VXKT-VT7B-6NWY','93dbe3a6c437d95dc40f9c8ea560d576c11a0426078da5e7389319485c91cb81','usd',4000,'review','26f9a9d5e80471a16017be79cd3f34ce5b645986d49e188043cdc64346c38e62',1,'b5622cb7ffd2c61f25e8b56d89875f4ba0f54edcecb8007af4560c6b8d79aee1','{"mode": "payment", "line_items": [{"quantity": 2, "price_data": {"currency": "usd", "unit_amount": 1999, "product_data": {"name": "Red T-Shirt", "description": "Heavy organic cotton, cut straight and washed soft.", "images": ["http://127.0.0.1:9/images/red-t-shirt.svg"]}}}], "client_reference_id": "VZ2Y-VXKT-VT7B-6NWY", "metadata": {"order_number": "VZ2Y-VXKT-VT7B-6NWY", "shop": "shop_7d0226ec9521f22a"}, "payment_intent_data": {"metadata": {"order_number": "VZ2Y-VXKT-VT7B-6NWY"}}, "success_url": "http://127.0.0.1:9/order?number=VZ2Y-VXKT-VT7B-6NWY&session_id={CHECKOUT_SESSION_ID}", "cancel_url": "http://127.0.0.1:9/?resume=VZ2Y-VXKT-VT7B-6NWY", "expires_at": 1796052547}','cs_test_a11xY2NPUQRLHLfiSL79uhx4WLzh2vCYwSrqafZOj2lzVe1DElRvUwfPd8e4','http://127.0.0.1:17750/c/pay/cs_test_a11xY2NPUQRLHLfiSL79uhx4WLzh2vCYwSrqafZOj2lzVe1DElRvUwfPd8e4','2026-11-30 15:29:07.000000','open','unpaid',NULL,NULL,'amount $39.98 instead of $40.00',0,NULL,NULL,'2026-11-30 14:29:07.087919',NULL,'2026-11-30 14:29:07.166641',NULL,NULL,0,NULL,'355309b9379fff48');
CREATE TABLE products (
  id INTEGER NOT NULL,
  slug VARCHAR NOT NULL,
  name VARCHAR NOT NULL,
  description VARCHAR NOT NULL,
  unit_amount INTEGER NOT NULL,
  currency VARCHAR NOT NULL,
  image VARCHAR NOT NULL,
  active BOOLEAN NOT NULL,
  updated_at DATETIME NOT NULL, position INTEGER DEFAULT '0' NOT NULL,
  PRIMARY KEY (id),
  UNIQUE (slug)
);
INSERT INTO "products" VALUES(1,'red-t-shirt','Red T-Shirt','Heavy organic cotton, cut straight and washed soft.',1999,'usd','red-t-shirt.svg',1,'2026-11-30 14:29:05.597752',0);
INSERT INTO "products" VALUES(2,'blue-jeans','Blue Jeans','Mid-rise, straight leg, in rinsed indigo denim.',4999,'usd','blue-jeans.svg',1,'2026-11-30 14:29:05.597837',0);
INSERT INTO "products" VALUES(3,'sneakers','Sneakers','Low-top canvas on a gum sole, light on the foot.',7999,'usd','sneakers.svg',1,'2026-11-30 14:29:05.597885',0);
CREATE TABLE refunds (
  id INTEGER NOT NULL,
  order_id INTEGER NOT NULL,
  payment_intent_id VARCHAR NOT NULL,
  amount INTEGER NOT NULL CHECK (amount > 0),
  status VARCHAR NOT NULL,
  reason VARCHAR NOT NULL,
  idempotency_key VARCHAR NOT NULL,
  stripe_refund_id VARCHAR,
  created_at DATETIME NOT NULL,
  updated_at DATETIME NOT NULL, attempt INTEGER DEFAULT '1' NOT NULL, payment_amount INTEGER, next_try_at DATETIME, refusal TEXT,
  PRIMARY KEY (id),
  FOREIGN KEY(order_id) REFERENCES orders (id),
  UNIQUE (idempotency_key),
  UNIQUE (stripe_refund_id)
);
INSERT INTO "refunds" VALUES(1,5,'pi_31xY2NOK6iDN0LwsZokncjhD',1000,'succeeded','requested_by_customer','key-Q9HN-PF4K-7M58-PKZW','re_31xY2NOPnOVJaQS5GlaXDMrP','2026-11-30 14:29:06.101479','2026-11-30 14:29:06.152731',1,NULL,NULL,NULL);
INSERT INTO "refunds" VALUES(2,6,'pi_31xY2NOrKqoaAbGnzLJjhlbr',4999,'succeeded','requested_by_customer','key-GBMW-4SGL-DX9Q-SX27','re_31xY2NOPLncG15q1CpUnh8VL','2026-11-30 14:29:06.264475','2026-11-30 14:29:06.277558',1,NULL,NULL,NULL);
INSERT INTO "refunds" VALUES(3,10,'pi_31xY2NOHpSYHFjTmHsdklfS6',3998,'requested','duplicate','second-payment-pi_31xY2NOHpSYHFjTmHsdklfS6',NULL,'2026-11-30 14:29:06.981295','2026-11-30 14:29:06.981304',1,3998,NULL,NULL);
CREATE TABLE repeats (
  id INTEGER NOT NULL,
  at DATETIME NOT NULL,
  source VARCHAR NOT NULL,
  event_id VARCHAR,
  order_id INTEGER,
  evidence TEXT NOT NULL, times INTEGER DEFAULT '1' NOT NULL,
  PRIMARY KEY (id),
  FOREIGN KEY(event_id) REFERENCES stripe_events (id),
  FOREIGN KEY(order_id) REFERENCES orders (id)
);
INSERT INTO "repeats" VALUES(1,'2026-11-30 14:29:05.931320','webhook','evt_11xY2NNjhIdXGv2tUq5W0n5Z',NULL,'',1);
INSERT INTO "repeats" VALUES(2,'2026-11-30 14:29:05.953600','webhook','evt_11xY2NNjhIdXGv2tUq5W0n5Z',NULL,'',1);
INSERT INTO "repeats" VALUES(3,'2026-11-30 14:29:05.976158','redirect',NULL,1,'{"request": "GET /v1/checkout/sessions/cs_test_a11xY2NNS1iYJfSjKscAfpcNrj4UI64QEY3deF7TlXT6Zldz9kCtntMZy241", "http_status": 200, "request_id": "req_1xY2NNkVeowuk1", "idempotency_key": null, "replayed": false, "milliseconds": 8}',1);
CREATE TABLE shop_marks (
  id INTEGER NOT NULL,
  mark VARCHAR NOT NULL,
  PRIMARY KEY (id)
);
INSERT INTO "shop_marks" VALUES(1,'shop_7d0226ec9521f22a');
CREATE TABLE stripe_events (
  id VARCHAR NOT NULL,
  type VARCHAR NOT NULL,
  created_at DATETIME NOT NULL,
  received_at DATETIME NOT NULL,
  deliveries INTEGER NOT NULL,
  outcome VARCHAR NOT NULL,
  order_id INTEGER, next_try_at DATETIME, order_number VARCHAR,
  PRIMARY KEY (id),
  FOREIGN KEY(order_id) REFERENCES orders (id)
);
INSERT INTO "stripe_events" VALUES('evt_11xY2NNi959kcRuaQ2Cu2c8l','payment_intent.created','2026-11-30 14:29:05.000000','2026-11-30 14:29:05.839121',1,'ignored',NULL,NULL,'XZR8-8YCT-2CTG-2DMG');
INSERT INTO "stripe_events" VALUES('evt_11xY2NNq5YugzKJQk41jy4Nz','charge.succeeded','2026-11-30 14:29:05.000000','2026-11-30 14:29:05.847943',1,'known',1,NULL,NULL);
INSERT INTO "stripe_events" VALUES('evt_11xY2NN91GZg42jCtQfNEP73','payment_intent.succeeded','2026-11-30 14:29:05.000000','2026-11-30 14:29:05.863479',1,'ignored',NULL,NULL,'XZR8-8YCT-2CTG-2DMG');
INSERT INTO "stripe_events" VALUES('evt_11xY2NNjhIdXGv2tUq5W0n5Z','checkout.session.completed','2026-11-30 14:29:05.000000','2026-11-30 14:29:05.899699',3,'known',1,NULL,NULL);
INSERT INTO "stripe_events" VALUES('evt_11xY2NOTv4xyl5Wi5ipgu7qN','checkout.session.expired','2026-11-30 14:29:06.000000','2026-11-30 14:29:06.181293',1,'known',2,NULL,NULL);
INSERT INTO "stripe_events" VALUES('evt_11xY2NO7vVqagtnc2f29tNKe','payment_intent.created','2026-11-30 14:29:06.000000','2026-11-30 14:29:06.191153',1,'ignored',NULL,NULL,'Q9HN-PF4K-7M58-PKZW');
INSERT INTO "stripe_events" VALUES('evt_11xY2NOsT9VIpkkKpHLqxuQX','charge.succeeded','2026-11-30 14:29:06.000000','2026-11-30 14:29:06.203705',1,'known',5,NULL,NULL);
INSERT INTO "stripe_events" VALUES('evt_11xY2NO7zwq9e3H0OnTE3zHz','payment_intent.succeeded','2026-11-30 14:29:06.000000','2026-11-30 14:29:06.206966',1,'ignored',NULL,NULL,'Q9HN-PF4K-7M58-PKZW');
INSERT INTO "stripe_events" VALUES('evt_11xY2NO2YDjXdhJJx0IrnFpN','checkout.session.completed','2026-11-30 14:29:06.000000','2026-11-30 14:29:06.216500',1,'known',5,NULL,NULL);
INSERT INTO "stripe_events" VALUES('evt_11xY2NO01X3OeaUgsCcUZ9ZJ','refund.created','2026-11-30 14:29:06.000000','2026-11-30 14:29:06.231716',1,'known',5,NULL,NULL);
INSERT INTO "stripe_events" VALUES('evt_11xY2NOiyH7GsOJqMvcax0x9','charge.refunded','2026-11-30 14:29:06.000000','2026-11-30 14:29:06.238742',1,'ignored',NULL,NULL,'Q9HN-PF4K-7M58-PKZW');
INSERT INTO "stripe_events" VALUES('evt_11xY2NOTvz3UDFiU7DxO7F68','payment_intent.created','2026-11-30 14:29:06.000000','2026-11-30 14:29:06.296042',1,'ignored',NULL,NULL,'GBMW-4SGL-DX9Q-SX27');
INSERT INTO "stripe_events" VALUES('evt_11xY2NOdrY7iom1GEAKxDPHE','charge.succeeded','2026-11-30 14:29:06.000000','2026-11-30 14:29:06.301085',1,'known',6,NULL,NULL);
INSERT INTO "stripe_events" VALUES('evt_11xY2NOUF3JrQ3EuqZqPQkDi','payment_intent.succeeded','2026-11-30 14:29:06.000000','2026-11-30 14:29:06.303882',1,'ignored',NULL,NULL,'GBMW-4SGL-DX9Q-SX27');
INSERT INTO "stripe_events" VALUES('evt_11xY2NOQHly6ACOIAYpSQ3Xd','checkout.session.completed','2026-11-30 14:29:06.000000','2026-11-30 14:29:06.307277',1,'known',6,NULL,NULL);
INSERT INTO "stripe_events" VALUES('evt_11xY2NOx8E1ItREXNCgxuxbc','refund.created','2026-11-30 14:29:06.000000','2026-11-30 14:29:06.312305',1,'known',6,NULL,NULL);
INSERT INTO "stripe_events" VALUES('evt_11xY2NO9DqNTgvlYa8NNTCvU','charge.refunded','2026-11-30 14:29:06.000000','2026-11-30 14:29:06.315342',1,'ignored',NULL,NULL,'GBMW-4SGL-DX9Q-SX27');
INSERT INTO "stripe_events" VALUES('evt_11xY2NOoIq5ZrAPPr307ChVm','payment_intent.created','2026-11-30 14:29:06.000000','2026-11-30 14:29:06.468253',1,'ignored',NULL,NULL,'HR7Y-RB49-5WWV-P6F4');
INSERT INTO "stripe_events" VALUES('evt_11xY2NOZT0iF1OmA2fl3jb6p','charge.succeeded','2026-11-30 14:29:06.000000','2026-11-30 14:29:06.478516',1,'known',7,NULL,NULL);
INSERT INTO "stripe_events" VALUES('evt_11xY2NOGWQSJoA0mCXKHEgfy','payment_intent.succeeded','2026-11-30 14:29:06.000000','2026-11-30 14:29:06.491467',1,'ignored',NULL,NULL,'HR7Y-RB49-5WWV-P6F4');
INSERT INTO "stripe_events" VALUES('evt_11xY2NO20RHHRKdcpHR4dYAK','checkout.session.completed','2026-11-30 14:29:06.000000','2026-11-30 14:29:06.503373',1,'known',7,NULL,NULL);
INSERT INTO "stripe_events" VALUES('evt_11xY2NOoF6ZBbZCTuot17kj3','charge.dispute.created','2026-11-30 14:29:06.000000','2026-11-30 14:29:06.516591',1,'applied',7,NULL,NULL);
INSERT INTO "stripe_events" VALUES('evt_11xY2NOiJ7bcc5yGapO7NNaB','charge.dispute.funds_withdrawn','2026-11-30 14:29:06.000000','2026-11-30 14:29:06.546321',1,'known',7,NULL,NULL);
INSERT INTO "stripe_events" VALUES('evt_11xY2NOeX5yNz3BJAdtXmUf2','charge.updated','2026-11-30 14:29:06.000000','2026-11-30 14:29:06.558898',1,'known',7,NULL,NULL);
INSERT INTO "stripe_events" VALUES('evt_11xY2NOeBHxzcrB0W08L2Cwo','payment_intent.created','2026-11-30 14:29:06.000000','2026-11-30 14:29:06.646454',1,'ignored',NULL,NULL,'XNV4-JXTB-LBFJ-TFX3');
INSERT INTO "stripe_events" VALUES('evt_11xY2NOU1191fEXESx8L881y','charge.pending','2026-11-30 14:29:06.000000','2026-11-30 14:29:06.654039',1,'ignored',NULL,NULL,'XNV4-JXTB-LBFJ-TFX3');
INSERT INTO "stripe_events" VALUES('evt_11xY2NOYYcGvsM5ZVmH8Vgaw','payment_intent.processing','2026-11-30 14:29:06.000000','2026-11-30 14:29:06.663719',1,'ignored',NULL,NULL,'XNV4-JXTB-LBFJ-TFX3');
INSERT INTO "stripe_events" VALUES('evt_11xY2NOSWtVKgzozQy6ugnLH','checkout.session.completed','2026-11-30 14:29:06.000000','2026-11-30 14:29:06.666680',1,'applied',8,NULL,NULL);
INSERT INTO "stripe_events" VALUES('evt_11xY2NOcALrHEWS8qLsYJUiC','payment_intent.created','2026-11-30 14:29:06.000000','2026-11-30 14:29:06.760070',1,'ignored',NULL,NULL,'SL2T-VGF7-X72G-7RYW');
INSERT INTO "stripe_events" VALUES('evt_11xY2NO14s6x69qR0R5q2C9g','charge.pending','2026-11-30 14:29:06.000000','2026-11-30 14:29:06.769391',1,'ignored',NULL,NULL,'SL2T-VGF7-X72G-7RYW');
INSERT INTO "stripe_events" VALUES('evt_11xY2NOV5yELPBFhMAjwJDdd','payment_intent.processing','2026-11-30 14:29:06.000000','2026-11-30 14:29:06.772898',1,'ignored',NULL,NULL,'SL2T-VGF7-X72G-7RYW');
INSERT INTO "stripe_events" VALUES('evt_11xY2NOA4KP7bDq1IEMwcmpK','checkout.session.completed','2026-11-30 14:29:06.000000','2026-11-30 14:29:06.780362',1,'applied',9,NULL,NULL);
INSERT INTO "stripe_events" VALUES('evt_11xY2NO4mD6aIXv5ShElDwrX','charge.failed','2026-11-30 14:29:06.000000','2026-11-30 14:29:06.786564',1,'applied',9,NULL,NULL);
INSERT INTO "stripe_events" VALUES('evt_11xY2NOaO9i1RyxZaMu9GkZl','payment_intent.payment_failed','2026-11-30 14:29:06.000000','2026-11-30 14:29:06.796885',1,'known',9,NULL,NULL);
INSERT INTO "stripe_events" VALUES('evt_11xY2NOf4UInKLq8LnlAJl5h','checkout.session.async_payment_failed','2026-11-30 14:29:06.000000','2026-11-30 14:29:06.801024',1,'applied',9,NULL,NULL);
INSERT INTO "stripe_events" VALUES('evt_11xY2NOW65UeO46kXVQ5kjdw','charge.updated','2026-11-30 14:29:06.000000','2026-11-30 14:29:06.911753',1,'known',1,NULL,NULL);
INSERT INTO "stripe_events" VALUES('evt_11xY2NODvQyW4gtlh8jHOtJS','payment_intent.created','2026-11-30 14:29:06.000000','2026-11-30 14:29:06.916397',1,'ignored',NULL,NULL,'RF9Y-N97T-LXCC-T3GJ');
INSERT INTO "stripe_events" VALUES('evt_11xY2NOEzu5pvtPYNp6yCiZi','charge.succeeded','2026-11-30 14:29:06.000000','2026-11-30 14:29:06.919332',1,'known',10,NULL,NULL);
INSERT INTO "stripe_events" VALUES('evt_11xY2NO8R4IgJP0mvARv7r4C','payment_intent.succeeded','2026-11-30 14:29:06.000000','2026-11-30 14:29:06.922419',1,'ignored',NULL,NULL,'RF9Y-N97T-LXCC-T3GJ');
INSERT INTO "stripe_events" VALUES('evt_11xY2NOZ0Chs4KEWdlEq1D0K','checkout.session.completed','2026-11-30 14:29:06.000000','2026-11-30 14:29:06.942084',1,'known',10,NULL,NULL);
INSERT INTO "stripe_events" VALUES('evt_11xY2NOITJCcHZI2EvJpM0MS','payment_intent.created','2026-11-30 14:29:06.000000','2026-11-30 14:29:06.947427',1,'ignored',NULL,NULL,'RF9Y-N97T-LXCC-T3GJ');
INSERT INTO "stripe_events" VALUES('evt_11xY2NODA2UB1YZrugyB1FhW','charge.succeeded','2026-11-30 14:29:06.000000','2026-11-30 14:29:06.953178',1,'known',10,NULL,NULL);
INSERT INTO "stripe_events" VALUES('evt_11xY2NOZ8z0O69C1XPGyd2Vh','payment_intent.succeeded','2026-11-30 14:29:06.000000','2026-11-30 14:29:06.960444',1,'ignored',NULL,NULL,'RF9Y-N97T-LXCC-T3GJ');
INSERT INTO "stripe_events" VALUES('evt_11xY2NOC4rotzAI31SNufdMr','checkout.session.completed','2026-11-30 14:29:06.000000','2026-11-30 14:29:06.980337',1,'applied',10,NULL,NULL);
INSERT INTO "stripe_events" VALUES('evt_11xY2NPqXE5ODCsa0r7WAQxX','checkout.session.expired','2026-11-30 14:29:07.000000','2026-11-30 14:29:07.081611',1,'applied',11,NULL,NULL);
INSERT INTO "stripe_events" VALUES('evt_11xY2NPvsuItNoIBvTDpxUGB','charge.updated','2026-11-30 14:29:07.000000','2026-11-30 14:29:07.145385',1,'known',5,NULL,NULL);
INSERT INTO "stripe_events" VALUES('evt_11xY2NP0YBLWr0I3Wq7UebI6','payment_intent.created','2026-11-30 14:29:07.000000','2026-11-30 14:29:07.148844',1,'ignored',NULL,NULL,'VZ2Y-VXKT-VT7B-6NWY');
INSERT INTO "stripe_events" VALUES('evt_11xY2NP41nfWJnrDhWwySJW4','charge.succeeded','2026-11-30 14:29:07.000000','2026-11-30 14:29:07.151777',1,'known',12,NULL,NULL);
INSERT INTO "stripe_events" VALUES('evt_11xY2NPUoBc9Ys84BpnIkHfC','payment_intent.succeeded','2026-11-30 14:29:07.000000','2026-11-30 14:29:07.154297',1,'ignored',NULL,NULL,'VZ2Y-VXKT-VT7B-6NWY');
INSERT INTO "stripe_events" VALUES('evt_11xY2NPBY1UAZG4TyJPeJe5e','checkout.session.completed','2026-11-30 14:29:07.000000','2026-11-30 14:29:07.166772',1,'applied',12,NULL,NULL);
INSERT INTO "stripe_events" VALUES('evt_of_an_unknown_order','checkout.session.completed','2026-11-30 14:29:07.000000','2026-11-30 14:29:07.176687',1,'orphan',NULL,NULL,'AAAA-BBBB-CCCC-DDDD');
CREATE TABLE turns (
  name VARCHAR NOT NULL,
  began_at DATETIME NOT NULL,
  done_until DATETIME, holder VARCHAR, held_until DATETIME,
  PRIMARY KEY (name)
);
INSERT INTO "turns" VALUES('reconciler','2026-11-30 14:29:07.179090','2026-11-30 14:29:07.179090',NULL,NULL);
CREATE INDEX ix_orders_cart_key ON orders (cart_key);
CREATE UNIQUE INDEX one_payable_order_per_buyer ON orders (buyer) WHERE session_status IN ('none', 'open');
CREATE INDEX ix_disputes_order_id ON disputes (order_id);
CREATE INDEX ix_order_items_order_id ON order_items (order_id);
CREATE INDEX ix_refunds_order_id ON refunds (order_id);
CREATE INDEX ix_repeats_event_id ON repeats (event_id);
CREATE INDEX ix_repeats_order_id ON repeats (order_id);
CREATE INDEX undecided_orders ON orders (id) WHERE (session_status IN ('none', 'open') OR status IN ('open', 'pending', 'processing', 'review'));
CREATE INDEX events_by_arrival ON stripe_events (received_at, id);
CREATE INDEX orders_by_creation ON orders (created_at, id);
CREATE INDEX orders_by_status ON orders (status, created_at, id);
CREATE INDEX orders_by_payment ON orders (paid_at, currency, total_amount, refunded_amount);
CREATE INDEX events_by_outcome ON stripe_events (outcome, received_at, id);
CREATE INDEX orders_of_a_buyer ON orders (buyer, id, status, payment_status);
CREATE INDEX lines_of_an_order ON order_log (order_id, id);
CREATE INDEX events_of_an_order ON stripe_events (order_id, outcome, deliveries);
CREATE INDEX unfinished_refunds ON refunds (id) WHERE status IN ('requested', 'pending', 'requires_action');
CREATE INDEX orders_by_email ON orders (email_folded);
CREATE INDEX events_to_try ON stripe_events (next_try_at) WHERE next_try_at IS NOT NULL;
CREATE INDEX events_naming_an_order ON stripe_events (order_number) WHERE order_number IS NOT NULL;
