BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0008');
CREATE TABLE analysis_plans (
	id INTEGER NOT NULL, 
	listener_id INTEGER NOT NULL, 
	name VARCHAR NOT NULL, 
	criterion VARCHAR NOT NULL, 
	lower_is_better BOOLEAN NOT NULL, 
	settings JSON NOT NULL, 
	created DATETIME NOT NULL, 
	CONSTRAINT pk_analysis_plans PRIMARY KEY (id), 
	CONSTRAINT fk_analysis_plans_listener_id_listeners FOREIGN KEY(listener_id) REFERENCES listeners (id) ON DELETE CASCADE, 
	CONSTRAINT uq_analysis_plans_listener_id_name UNIQUE (listener_id, name)
);
INSERT INTO "analysis_plans" VALUES(1,1,'main','beta',1,'{}','2026-11-28 00:43:27.000000');
INSERT INTO "analysis_plans" VALUES(2,1,'gamma','gamma',0,'{"gamma": [30, 45]}','2026-01-02 03:04:05.000000');
CREATE TABLE listeners (
	id INTEGER NOT NULL, 
	name VARCHAR NOT NULL, 
	created DATETIME NOT NULL, alias VARCHAR, colour VARCHAR(16), 
	CONSTRAINT pk_listeners PRIMARY KEY (id), 
	CONSTRAINT uq_listeners_name UNIQUE (name)
);
INSERT INTO "listeners" VALUES(1,'Ana','2026-01-02 03:04:05.000000','A','#0072b2');
INSERT INTO "listeners" VALUES(2,'Žofie 测试','2026-01-02 03:04:05.000000',NULL,NULL);
CREATE TABLE measures (
	id INTEGER NOT NULL, 
	session_id INTEGER NOT NULL, 
	scale VARCHAR(64) NOT NULL, 
	"before" DOUBLE, 
	"after" DOUBLE, 
	created DATETIME NOT NULL, 
	CONSTRAINT pk_measures PRIMARY KEY (id), 
	CONSTRAINT fk_measures_session_id_sessions FOREIGN KEY(session_id) REFERENCES sessions (id) ON DELETE CASCADE, 
	CONSTRAINT uq_measures_session_id_scale UNIQUE (session_id, scale)
);
INSERT INTO "measures" VALUES(1,1,'stai',45.0,32.5,'2026-01-02 03:04:05.000000');
INSERT INTO "measures" VALUES(2,1,'sam',NULL,3.0,'2026-01-02 03:04:05.000000');
CREATE TABLE models (
	id INTEGER NOT NULL, 
	name VARCHAR NOT NULL, 
	sha256 VARCHAR(64) NOT NULL, 
	config JSON NOT NULL, 
	created DATETIME NOT NULL, 
	CONSTRAINT pk_models PRIMARY KEY (id), 
	CONSTRAINT uq_models_sha256 UNIQUE (sha256)
);
INSERT INTO "models" VALUES(1,'calm','aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','{"bars": 16, "name": "calm"}','2026-01-02 03:04:05.000000');
CREATE TABLE piece_marks (
	id INTEGER NOT NULL, 
	listener_id INTEGER, 
	piece_id VARCHAR(26) NOT NULL, 
	mark VARCHAR(16) NOT NULL, 
	created DATETIME NOT NULL, 
	CONSTRAINT pk_piece_marks PRIMARY KEY (id), 
	CONSTRAINT ck_piece_marks_known CHECK (mark IN ('never', 'favourite')), 
	CONSTRAINT fk_piece_marks_listener_id_listeners FOREIGN KEY(listener_id) REFERENCES listeners (id) ON DELETE CASCADE, 
	CONSTRAINT fk_piece_marks_piece_id_pieces FOREIGN KEY(piece_id) REFERENCES pieces (id) ON DELETE CASCADE
);
INSERT INTO "piece_marks" VALUES(1,1,'01KAT4X2AAAAAAAAAAAAAAAAAA','favourite','2026-01-02 03:04:05.000000');
INSERT INTO "piece_marks" VALUES(2,NULL,'01KAT4X2AAAAAAAAAAAAAAAAAA','never','2026-01-02 03:04:05.000000');
CREATE TABLE "pieces" (
	id VARCHAR(26) NOT NULL, 
	title VARCHAR NOT NULL, 
	source VARCHAR, 
	model_id INTEGER, 
	z BLOB, 
	form VARCHAR, 
	seed BIGINT, 
	temperature DOUBLE, 
	palette VARCHAR, 
	"key" VARCHAR NOT NULL, 
	tempo DOUBLE, 
	duration_s DOUBLE NOT NULL, 
	midi BLOB, 
	features JSON NOT NULL, 
	calm DOUBLE, 
	created DATETIME NOT NULL, 
	register DOUBLE, 
	metre VARCHAR DEFAULT '4/4' NOT NULL, 
	valence DOUBLE, 
	audio BLOB, 
	listener_id INTEGER, 
	CONSTRAINT pk_pieces PRIMARY KEY (id), 
	CONSTRAINT ck_pieces_duration_positive CHECK (duration_s > 0), 
	CONSTRAINT ck_pieces_one_origin CHECK ((model_id IS NULL) <> (source IS NULL)), 
	CONSTRAINT fk_pieces_model_id_models FOREIGN KEY(model_id) REFERENCES models (id), 
	CONSTRAINT ck_pieces_tempo_positive CHECK (tempo > 0), 
	CONSTRAINT ck_pieces_calm_is_share CHECK (calm >= 0 AND calm <= 1), 
	CONSTRAINT ck_pieces_valence_is_share CHECK (valence >= 0 AND valence <= 1), 
	CONSTRAINT ck_pieces_one_music CHECK ((midi IS NULL) <> (audio IS NULL)), 
	CONSTRAINT fk_pieces_listener_id_listeners FOREIGN KEY(listener_id) REFERENCES listeners (id) ON DELETE SET NULL
);
INSERT INTO "pieces" VALUES('01KAT4X2RRRRRRRRRRRRRRRRRR','Été','été.flac',NULL,NULL,NULL,NULL,NULL,NULL,'',NULL,12.5,NULL,'{}',NULL,'2026-01-02 03:04:05.000000',NULL,'',NULL,X'664C614300000022',1);
INSERT INTO "pieces" VALUES('01KAT4X2AAAAAAAAAAAAAAAAAA','Even Lake',NULL,1,X'00010203FFFEFDFC','A A',4611686018427387904,0.5,'piano','D major',71.1,119.92,X'4D546864000000060001000103C0','{"note rate": 1.25}',0.9622,'2026-01-02 03:04:05.000000',64.5,'3/4',NULL,NULL,NULL);
INSERT INTO "pieces" VALUES('01KAT4X2BBBBBBBBBBBBBBBBBB','Quoted '' " title','b.mid',NULL,NULL,NULL,NULL,NULL,NULL,'',60.0,30.125,X'4D54686400000006000000010060','{"note rate": 0.1}',0.0,'2026-01-02 03:04:05.000000',NULL,'4/4',NULL,NULL,NULL);
INSERT INTO "pieces" VALUES('01KAT4X2CCCCCCCCCCCCCCCCCC','C','c.mid',NULL,NULL,NULL,NULL,NULL,NULL,'A minor',52.0,12.0,X'4D54686400000006000000010060','{}',1.0,'2026-01-02 03:04:05.000000',48.0,'4/4',NULL,NULL,NULL);
CREATE TABLE play_scores (
	id INTEGER NOT NULL, 
	play_id INTEGER NOT NULL, 
	band VARCHAR NOT NULL, 
	db DOUBLE NOT NULL, 
	adjusted_db DOUBLE, 
	muscle_db DOUBLE, 
	windows INTEGER NOT NULL, 
	parameters JSON NOT NULL, 
	created DATETIME NOT NULL, 
	CONSTRAINT pk_play_scores PRIMARY KEY (id), 
	CONSTRAINT ck_play_scores_windows_count CHECK (windows >= 0), 
	CONSTRAINT fk_play_scores_play_id_plays FOREIGN KEY(play_id) REFERENCES plays (id) ON DELETE CASCADE, 
	CONSTRAINT uq_play_scores_play_id_band UNIQUE (play_id, band)
);
INSERT INTO "play_scores" VALUES(1,1,'beta',-0.75,-0.5,0.1,50,'{"flags": ["short"]}','2026-01-02 03:04:05.000000');
INSERT INTO "play_scores" VALUES(2,1,'gamma',0.25,NULL,NULL,50,'{}','2026-01-02 03:04:05.000000');
CREATE TABLE played_stretches (
	id INTEGER NOT NULL, 
	session_play_id INTEGER NOT NULL, 
	item_id INTEGER NOT NULL, 
	onset_s DOUBLE NOT NULL, 
	from_s DOUBLE NOT NULL, 
	duration_s DOUBLE, 
	CONSTRAINT pk_played_stretches PRIMARY KEY (id), 
	CONSTRAINT ck_played_stretches_onset_not_negative CHECK (onset_s >= 0), 
	CONSTRAINT ck_played_stretches_from_not_negative CHECK (from_s >= 0), 
	CONSTRAINT ck_played_stretches_duration_not_negative CHECK (duration_s >= 0), 
	CONSTRAINT fk_played_stretches_session_play_id_session_plays FOREIGN KEY(session_play_id) REFERENCES session_plays (id) ON DELETE CASCADE, 
	CONSTRAINT fk_played_stretches_item_id_session_items FOREIGN KEY(item_id) REFERENCES session_items (id) ON DELETE CASCADE, 
	CONSTRAINT uq_played_stretches_session_play_id_onset_s UNIQUE (session_play_id, onset_s)
);
INSERT INTO "played_stretches" VALUES(1,1,1,0.0,0.0,40.0);
INSERT INTO "played_stretches" VALUES(2,1,2,40.0,0.0,119.9);
INSERT INTO "played_stretches" VALUES(3,2,1,0.0,12.5,NULL);
CREATE TABLE player_settings (
	id INTEGER NOT NULL, 
	listener_id INTEGER, 
	"values" JSON NOT NULL, 
	CONSTRAINT pk_player_settings PRIMARY KEY (id), 
	CONSTRAINT fk_player_settings_listener_id_listeners FOREIGN KEY(listener_id) REFERENCES listeners (id) ON DELETE CASCADE
);
INSERT INTO "player_settings" VALUES(1,1,'{"volume": 0.5}');
CREATE TABLE plays (
	id INTEGER NOT NULL, 
	recording_id INTEGER NOT NULL, 
	piece_id VARCHAR(26) NOT NULL, 
	item_id INTEGER, 
	onset_s DOUBLE NOT NULL, 
	duration_s DOUBLE NOT NULL, 
	clean_s DOUBLE NOT NULL, 
	CONSTRAINT pk_plays PRIMARY KEY (id), 
	CONSTRAINT ck_plays_clean_not_negative CHECK (clean_s >= 0), 
	CONSTRAINT ck_plays_duration_positive CHECK (duration_s > 0), 
	CONSTRAINT ck_plays_onset_not_negative CHECK (onset_s >= 0), 
	CONSTRAINT fk_plays_item_id_session_items FOREIGN KEY(item_id) REFERENCES session_items (id) ON DELETE SET NULL, 
	CONSTRAINT fk_plays_piece_id_pieces FOREIGN KEY(piece_id) REFERENCES pieces (id), 
	CONSTRAINT fk_plays_recording_id_recordings FOREIGN KEY(recording_id) REFERENCES recordings (id) ON DELETE CASCADE, 
	CONSTRAINT uq_plays_recording_id_onset_s UNIQUE (recording_id, onset_s)
);
INSERT INTO "plays" VALUES(1,1,'01KAT4X2AAAAAAAAAAAAAAAAAA',2,41.5,119.0,100.0);
CREATE TABLE rankings (
	id INTEGER NOT NULL, 
	listener_id INTEGER, 
	piece_id VARCHAR(26) NOT NULL, 
	criterion VARCHAR NOT NULL, 
	mean_db DOUBLE NOT NULL, 
	sd_db DOUBLE NOT NULL, 
	p_best DOUBLE NOT NULL, 
	expected_rank DOUBLE NOT NULL, 
	plays INTEGER NOT NULL, 
	clean_s DOUBLE NOT NULL, 
	created DATETIME NOT NULL, 
	CONSTRAINT pk_rankings PRIMARY KEY (id), 
	CONSTRAINT ck_rankings_p_best_is_share CHECK (p_best >= 0 AND p_best <= 1), 
	CONSTRAINT ck_rankings_sd_not_negative CHECK (sd_db >= 0), 
	CONSTRAINT fk_rankings_listener_id_listeners FOREIGN KEY(listener_id) REFERENCES listeners (id) ON DELETE CASCADE, 
	CONSTRAINT fk_rankings_piece_id_pieces FOREIGN KEY(piece_id) REFERENCES pieces (id) ON DELETE CASCADE, 
	CONSTRAINT uq_rankings_listener_id_criterion_piece_id UNIQUE (listener_id, criterion, piece_id)
);
INSERT INTO "rankings" VALUES(1,1,'01KAT4X2AAAAAAAAAAAAAAAAAA','beta',-0.75,0.5,1.0,1.0,1,100.0,'2026-01-02 03:04:05.000000');
CREATE TABLE ratings (
	id INTEGER NOT NULL, 
	session_id INTEGER NOT NULL, 
	piece_id VARCHAR(26) NOT NULL, 
	value INTEGER NOT NULL, 
	created DATETIME NOT NULL, 
	CONSTRAINT pk_ratings PRIMARY KEY (id), 
	CONSTRAINT ck_ratings_one_to_five CHECK (value >= 1 AND value <= 5), 
	CONSTRAINT fk_ratings_piece_id_pieces FOREIGN KEY(piece_id) REFERENCES pieces (id) ON DELETE CASCADE, 
	CONSTRAINT fk_ratings_session_id_sessions FOREIGN KEY(session_id) REFERENCES sessions (id) ON DELETE CASCADE, 
	CONSTRAINT uq_ratings_session_id_piece_id UNIQUE (session_id, piece_id)
);
INSERT INTO "ratings" VALUES(1,1,'01KAT4X2AAAAAAAAAAAAAAAAAA',5,'2026-01-02 03:04:05.000000');
CREATE TABLE "recordings" (
	id INTEGER NOT NULL, 
	sha256 VARCHAR(64) NOT NULL, 
	file VARCHAR NOT NULL, 
	listener_id INTEGER, 
	session_id INTEGER, 
	measured DATETIME, 
	facts JSON NOT NULL, 
	created DATETIME NOT NULL, 
	"plan" VARCHAR DEFAULT 'main' NOT NULL, 
	CONSTRAINT pk_recordings PRIMARY KEY (id), 
	CONSTRAINT fk_recordings_session_id_sessions FOREIGN KEY(session_id) REFERENCES sessions (id) ON DELETE SET NULL, 
	CONSTRAINT fk_recordings_listener_id_listeners FOREIGN KEY(listener_id) REFERENCES listeners (id), 
	CONSTRAINT uq_recordings_sha256_plan UNIQUE (sha256, "plan")
);
INSERT INTO "recordings" VALUES(1,'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb','/data/rec.fif',1,1,'2026-01-02 03:04:05.000000','{"sfreq": 500.0, "criterion": "beta", "lower_is_better": true, "baseline": []}','2026-01-02 03:04:05.000000','main');
INSERT INTO "recordings" VALUES(2,'cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc','/data/none.fif',NULL,NULL,NULL,'{}','2026-01-02 03:04:05.000000','main');
CREATE TABLE scales (
	name VARCHAR(64) NOT NULL, 
	facts JSON NOT NULL, 
	CONSTRAINT pk_scales PRIMARY KEY (name)
);
INSERT INTO "scales" VALUES('stai','{"low": 20, "high": 80}');
CREATE TABLE session_items (
	id INTEGER NOT NULL, 
	session_id INTEGER NOT NULL, 
	position INTEGER NOT NULL, 
	role VARCHAR(7) NOT NULL, 
	piece_id VARCHAR(26), 
	onset_s DOUBLE NOT NULL, 
	duration_s DOUBLE NOT NULL, 
	CONSTRAINT pk_session_items PRIMARY KEY (id), 
	CONSTRAINT ck_session_items_music_has_piece CHECK ((role = 'music' AND piece_id IS NOT NULL) OR (role = 'silence' AND piece_id IS NULL)), 
	CONSTRAINT ck_session_items_duration_positive CHECK (duration_s > 0), 
	CONSTRAINT ck_session_items_onset_not_negative CHECK (onset_s >= 0), 
	CONSTRAINT ck_session_items_position_counts CHECK (position >= 0), 
	CONSTRAINT fk_session_items_piece_id_pieces FOREIGN KEY(piece_id) REFERENCES pieces (id), 
	CONSTRAINT fk_session_items_session_id_sessions FOREIGN KEY(session_id) REFERENCES sessions (id) ON DELETE CASCADE, 
	CONSTRAINT uq_session_items_session_id_position UNIQUE (session_id, position)
);
INSERT INTO "session_items" VALUES(1,1,0,'silence',NULL,0.0,40.0);
INSERT INTO "session_items" VALUES(2,1,1,'music','01KAT4X2AAAAAAAAAAAAAAAAAA',40.0,119.92);
INSERT INTO "session_items" VALUES(3,3,0,'music','01KAT4X2BBBBBBBBBBBBBBBBBB',0.0,30.125);
CREATE TABLE session_notes (
	id INTEGER NOT NULL, 
	session_id INTEGER NOT NULL, 
	text VARCHAR NOT NULL, 
	created DATETIME NOT NULL, 
	CONSTRAINT pk_session_notes PRIMARY KEY (id), 
	CONSTRAINT fk_session_notes_session_id_sessions FOREIGN KEY(session_id) REFERENCES sessions (id) ON DELETE CASCADE
);
INSERT INTO "session_notes" VALUES(1,1,'Slept well; "calm"','2026-01-02 03:04:05.000000');
CREATE TABLE session_plays (
	id INTEGER NOT NULL, 
	session_id INTEGER NOT NULL, 
	started DATETIME NOT NULL, 
	ended_s DOUBLE, 
	finished BOOLEAN NOT NULL, 
	CONSTRAINT pk_session_plays PRIMARY KEY (id), 
	CONSTRAINT ck_session_plays_ended_not_negative CHECK (ended_s >= 0), 
	CONSTRAINT fk_session_plays_session_id_sessions FOREIGN KEY(session_id) REFERENCES sessions (id) ON DELETE CASCADE
);
INSERT INTO "session_plays" VALUES(1,1,'2026-01-03 20:00:00.123456',159.9,1);
INSERT INTO "session_plays" VALUES(2,1,'2026-01-04 20:00:00.000001',NULL,0);
CREATE TABLE sessions (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	listener_id INTEGER, 
	arc VARCHAR NOT NULL, 
	seed BIGINT NOT NULL, 
	duration_s DOUBLE NOT NULL, 
	parameters JSON NOT NULL, 
	created DATETIME NOT NULL, 
	CONSTRAINT ck_sessions_duration_positive CHECK (duration_s > 0), 
	CONSTRAINT fk_sessions_listener_id_listeners FOREIGN KEY(listener_id) REFERENCES listeners (id)
);
INSERT INTO "sessions" VALUES(1,1,'calm',7,159.92,'{"minutes": 2.6, "why": {"01KAT4X2AAAAAAAAAAAAAAAAAA": "new"}, "design": {"pieces": ["01KAT4X2AAAAAAAAAAAAAAAAAA"], "rows": [0]}}','2026-01-02 03:04:05.000000');
INSERT INTO "sessions" VALUES(3,NULL,'flat',8,30.125,'{"minutes": 0.5}','2026-01-02 03:04:05.000000');
CREATE TABLE studies (
	id INTEGER NOT NULL, 
	name VARCHAR NOT NULL, 
	protocol JSON NOT NULL, 
	created DATETIME NOT NULL, 
	CONSTRAINT pk_studies PRIMARY KEY (id), 
	CONSTRAINT uq_studies_name UNIQUE (name)
);
INSERT INTO "studies" VALUES(1,'pilot','{"sessions": 4}','2026-01-02 03:04:05.000000');
CREATE TABLE study_sessions (
	session_id INTEGER NOT NULL, 
	study_id INTEGER NOT NULL, 
	number INTEGER NOT NULL, 
	CONSTRAINT pk_study_sessions PRIMARY KEY (session_id), 
	CONSTRAINT fk_study_sessions_session_id_sessions FOREIGN KEY(session_id) REFERENCES sessions (id) ON DELETE CASCADE, 
	CONSTRAINT fk_study_sessions_study_id_studies FOREIGN KEY(study_id) REFERENCES studies (id) ON DELETE CASCADE
);
INSERT INTO "study_sessions" VALUES(1,1,1);
CREATE INDEX ix_sessions_listener_id ON sessions (listener_id);
CREATE INDEX ix_rankings_piece_id ON rankings (piece_id);
CREATE INDEX ix_ratings_piece_id ON ratings (piece_id);
CREATE INDEX ix_session_items_piece_id ON session_items (piece_id);
CREATE INDEX ix_plays_item_id ON plays (item_id);
CREATE INDEX ix_plays_piece_id ON plays (piece_id);
CREATE INDEX ix_session_plays_session_id ON session_plays (session_id);
CREATE INDEX ix_played_stretches_item_id ON played_stretches (item_id);
CREATE INDEX ix_session_notes_session_id ON session_notes (session_id);
CREATE INDEX ix_piece_marks_listener_id ON piece_marks (listener_id);
CREATE INDEX ix_piece_marks_piece_id ON piece_marks (piece_id);
CREATE INDEX ix_player_settings_listener_id ON player_settings (listener_id);
CREATE INDEX ix_recordings_session_id ON recordings (session_id);
CREATE INDEX ix_recordings_listener_id ON recordings (listener_id);
CREATE INDEX ix_study_sessions_study_id ON study_sessions (study_id);
CREATE INDEX ix_pieces_model_id ON pieces (model_id);
CREATE INDEX ix_pieces_title ON pieces (title);
CREATE INDEX ix_pieces_duration_s ON pieces (duration_s);
CREATE INDEX ix_pieces_listener_id ON pieces (listener_id);
COMMIT;
